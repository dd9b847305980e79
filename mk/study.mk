# Studies: many runs of a recipe, and what they say together. The scripts tell their variables: scripts/timing-study.sh --help.

STUDIES := timing-study checkpoint-study accuracy

timing-study: ## time over 1 core, all cores, 1 GPU, all GPUs and batch sizes (REPEATS= EPOCHS= BATCHES= SETTINGS= STUDY=)
checkpoint-study: ## time over how often checkpoints are written (EVERY= STEPS= REPEATS= RECIPE= STUDY=)
accuracy: ## mean, deviation and minimum of RECIPE=NAME over RUNS=10 seeds, and the share at or above TARGET=0.94

# Variables of make's command line come through the environment.
$(STUDIES):
	$(SUBMAKE) all
	@scripts/$@.sh

.PHONY: $(STUDIES)
