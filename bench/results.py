#!/usr/bin/env python3
"""Tables in Markdown of what finished runs reached, from what they left in their run directories.

bench/results.py RUN...                 prints them
bench/results.py --write PAGE RUN...    puts them in PAGE, between `<!-- result RECIPE -->` and `<!-- end -->`; recipes that no RUN
                                        had stay as they are
One table a recipe, a line a run, in the order given; below it the mean of the runs that differ by their seed alone. The accuracy
is that of the last weights on the test set, which selected nothing. Time is of training and evaluation, over all parts of a run
that was cut off and went on; start-up, and work that a crash lost, are not in it.
"""
import argparse
import json
import os
import shlex
import statistics
import sys

from tables import prose, renew, table


def lines_of(run, name):
    with open(os.path.join(run, name)) as file:
        return [json.loads(line) for line in file if line.strip()]


def read(run):
    try:
        with open(os.path.join(run, "result.json")) as file:
            result = json.load(file)
        starts = [line for line in lines_of(run, "sessions.jsonl") if line["kind"] == "start"]
        metrics = lines_of(run, "metrics.jsonl")
        if result["status"] != "finished":
            sys.exit(f"{run}: its status is {result['status']}: only finished runs have a result")
        with open(os.path.join(run, "config.yaml")) as file:
            seed = next(line.split()[1] for line in file if line.startswith("seed:"))
        seconds = sum(line["images"] / line["rates"]["images_per_s"] for line in metrics if line["kind"] == "train")
        return {"result": result, "starts": starts, "changes": starts[-1]["changes"], "recipe": starts[-1]["recipe"],
                "seed": seed, "train_s": seconds, "images": sum(line["images"] for line in metrics if line["kind"] == "train"),
                "wall_s": seconds + sum(line["times"]["wall_s"] for line in metrics if line["kind"] == "eval")}
    except (OSError, ValueError, KeyError, IndexError, StopIteration) as error:
        sys.exit(f"{run}: not the directory of a finished run: {error!r}")


def percent(share):
    return f"{100 * share:.2f} %"


def command(one):
    """What makes the run's bits again, wherever its data and its directory are."""
    options = [f"--{key} {shlex.quote(value)}" for key, value in one["changes"].items()]
    return " ".join(["build/lockstep train", one["recipe"], *options, "--threads", str(one["starts"][-1]["threads"])])


def but_seed(one):
    return json.dumps({key: value for key, value in one["changes"].items() if key != "seed"}, sort_keys=True)


def means(runs):
    for kind in dict.fromkeys(map(but_seed, runs)):
        same = [one["result"]["test_accuracy"] for one in runs if but_seed(one) == kind]
        if len(same) > 1:
            yield (f"Mean of {len(same)} seeds: **{percent(statistics.mean(same))}**, "
                   f"standard deviation {100 * statistics.stdev(same):.2f}.")


def label(one, seeds):
    """The options of a run; its seed too where `seeds`, the recipe's own as well."""
    changes = {**({"seed": one["seed"]} if seeds else {}), **one["changes"]}
    return " ".join(f"{key} {value}" for key, value in changes.items()) or "as it is"


def recipe_table(runs):
    seeds = len({one["seed"] for one in runs}) > 1
    plain = any(one["result"]["tta"] != "none" for one in runs)
    head = ["run", "test accuracy", *(["without test-time augmentation"] if plain else []), "minutes", "images/s", "epochs", "steps", "parts",
            "date", "state_hash"]
    rows = []
    for one in runs:
        result = one["result"]
        rows.append([label(one, seeds), percent(result["test_accuracy"]),
                     *([percent(result["test_accuracy_plain"])] if plain else []), f"{one['wall_s'] / 60:.1f}",
                     f"{one['images'] / one['train_s']:.0f}", f"{result['epoch']:.4g}", result["step"], len(one["starts"]),
                     one["starts"][0]["time"][:10], f"`{result['state_hash']}`"])
    last = [one["starts"][-1] for one in runs]
    how = "; ".join(dict.fromkeys(f"{part['ranks']} rank{'s' * (part['ranks'] > 1)} × {part['threads']} "
                                  f"thread{'s' * (part['threads'] > 1)}, {part['device']}, lockstep {part['version']}" for part in last))
    out = [*table(head, rows), "", *prose(f"{how}. {result['parameters']:,} parameters.")]
    for mean in means(runs):
        out += ["", mean]
    return [*out, "", "```", *map(command, runs), "```"]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", nargs="+", metavar="RUN")
    parser.add_argument("--write", metavar="PAGE")
    options = parser.parse_args()
    by_recipe = {}
    for run in map(read, options.runs):
        by_recipe.setdefault(os.path.splitext(os.path.basename(run["recipe"]))[0], []).append(run)
    made = {recipe: recipe_table(runs) for recipe, runs in by_recipe.items()}
    if options.write:
        renew(options.write, made, "result")
    else:
        print("\n\n".join("\n".join([recipe, "", *lines]) for recipe, lines in made.items()))


if __name__ == "__main__":
    main()
