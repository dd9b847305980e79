#!/bin/bash
for name in one two three four five; do echo "ok - $name"; done
echo "ok - sixth"; echo "printed before the seventh"; echo "not ok - seventh"; echo "# printed by the seventh"
echo "ok - eighth"; echo "printed by the eighth"
for i in {1..50}; do echo "ok - $i"; done
echo "not ok - last"; for i in {1..90}; do echo "# line $i of 90"; done
exit 1
