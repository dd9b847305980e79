#!/bin/bash
# The timing study's GPU settings, on simulated GPUs: one GPU, all of them; what is said where there is one or none.
# shellcheck source=tests/simgpu/lib.sh
. "$(dirname "$0")/lib.sh"

small_data "$tmp/data" 16 32 || { fail "small data" && finish; }
export CIFAR10_DIR=$tmp/data REPEATS=1 BATCHES="16 32" EPOCHS=1
# study NAME GPUS: sets $code, all output in $log.
study() {
    SIMGPU_DEVICES=$2 LD_LIBRARY_PATH=$sim STUDY=$tmp/$1 timeout -k 5 100 scripts/timing-study.sh tests/simgpu/every-op.yaml --steps 2 \
        >"$log" 2>&1
    code=$?
}
SETTINGS="single multi" study two 2
check "a study of one and two GPUs" test $code = 0
check "ranks and GPUs of each run" test "$(cut -d , -f 1,2,5,7 "$tmp/two/study.csv" | tr '\n' ' ')" = \
    "setting,batch,ranks,units single,16,1,1 single,32,1,1 multi,16,2,2 multi,32,2,2 "
check "all on the GPU" test "$(tail -n +2 "$tmp/two/study.csv" | grep -c ',cuda,')" = 4
check "names, and what two GPUs do against one" /usr/bin/python3 - "$tmp/two" <<'PY'
import csv, sys
lines = list(csv.DictReader(open(sys.argv[1] + "/summary.csv")))
assert [line["name"] for line in lines] == ["1 GPU", "1 GPU", "2 GPUs", "2 GPUs"]
for one, two in zip(lines[:2], lines[2:]):
    speedup = float(one["train_s_mean"]) / float(two["train_s_mean"])
    assert abs(float(two["speedup"]) - speedup) < 1e-5 * speedup and one["speedup"] == "1"
    assert abs(float(two["efficiency"]) - speedup / 2) < 1e-5 * speedup
    assert one["over_cpu"] == two["over_cpu"] == ""  # no core was measured
PY
SETTINGS="single multi" study one 1
check "with one GPU, all of them are not there" bash -c "[ $code = 0 ] && grep -q '^multi: not there: there is one GPU: see single' '$log'"
check "and one is measured" test "$(cut -d , -f 1 "$tmp/one/study.csv" | sort | uniq -c | tr -s ' \n' ' ')" = " 1 setting 2 single "
SETTINGS="single" study none 0
check "a driver without a GPU" bash -c "[ $code = 2 ] && grep -q '^single: not there: no GPU: GPUs: 0' '$log'"
SETTINGS="multi" study many 8
check "more GPUs than lanes" bash -c "[ $code = 2 ] && grep -q '^multi: not there: 8 GPUs and 4 lanes: say --lanes 8' '$log'"
finish
