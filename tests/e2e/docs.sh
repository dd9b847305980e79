#!/bin/bash
# What documents name is there: files and headings that links lead to, files in backquotes, make's targets, lockstep's subcommands and
# the options of train. The commands of README and tutorial are run by tests/e2e/readme.sh and tutorial.sh.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"

check "links, files, targets, subcommands, options" tests/e2e/check_docs . "$program"

# A document with one fault of each kind, beside good ones.
mkdir -p "$tmp/tree/docs" "$tmp/tree/scripts"
printf 'all: ## build\n' >"$tmp/tree/Makefile"
touch "$tmp/tree/scripts/there.sh"
cat >"$tmp/tree/docs/bad.md" <<'END'
# A heading, with `code`
[good](bad.md), [good](#a-heading-with-code), [web](https://example.org/), `scripts/there.sh`, `make all`, `lockstep train --lr 1`,
`scripts/*.sh`, `docs/NAME.md`.
[a](none.md) [b](bad.md#no-such-heading) ![c](images/none.png) `scripts/none.sh` `make none` `lockstep none` `lockstep train --none 1`
END
faults() { tests/e2e/check_docs "$tmp/tree" "$program"; }
refuse "a document with faults" faults
check "each of them is named, and nothing else" diff <(faults) - <<'END'
docs/bad.md:4: no file none.md
docs/bad.md:4: no heading #no-such-heading in docs/bad.md
docs/bad.md:4: no file images/none.png
docs/bad.md:4: no file scripts/none.sh
docs/bad.md:4: no target: make none
docs/bad.md:4: no subcommand: lockstep none
docs/bad.md:4: no option: --none
END
finish
