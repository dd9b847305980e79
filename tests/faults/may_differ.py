"""What may differ between a run that met faults and the undisturbed one: times, hosts, marks of sessions. All else must not."""

METRICS = {"times", "rates", "memory", "ranks", "threads", "host"}
RESULT = {"times", "images_per_s", "wall_s", "train_s", "plan_s", "plans_made", "plans_taken", "rank_times", "ranks", "resumed_from"}
# In a checkpoint's state: whether patience, which a changed command had for a while, ended the run at its last step.
STATE = r", (not )?finished$"
# Figures of the report, files and their like in the page.
FIGURES = {"where_time_went"}
