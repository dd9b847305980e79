#!/bin/bash
# limit: 400
# Ranks over nodes: every layout and both launchers give the bits of one process on one machine. And the other job scripts:
# evaluation, the timing study, data staged to the nodes, a wrong parameter, a user who is not root.
# shellcheck source=tests/slurm/lib.sh
. "$(dirname "$0")/lib.sh"

cluster 8 2 4
small_data "$tmp/data" 164 130 || { fail "small data" && finish; }
export CIFAR10_DIR=$tmp/data
steps=120
train reference 0 $recipes/tiny.yaml --lanes $lanes --steps $steps
check "the run on one machine" test $code = 0

# ---- All at once, as far as the 16 CPUs reach; the rest waits its turn. ----
for launcher in srun mpirun; do
    export LAUNCHER=$launcher
    submit_train $launcher-2x2 "--nodes=2 --ntasks-per-node=2" train.sbatch --steps $steps
    submit_train $launcher-4x1 "--nodes=4 --ntasks-per-node=1" train.sbatch --steps $steps
    submit_train $launcher-4x2 "--nodes=4 --ntasks-per-node=2" train.sbatch --steps $steps
    submit_train $launcher-step "--nodes=2 --ntasks-per-node=2 --time=2" ../../tests/slurm/in-step --steps $steps
done
unset LAUNCHER
# Many starts while the nodes are busy: launch.sh's SLURM_PMIX_FENCE is for these (see docs/cluster.md).
for i in 1 2 3; do submit "starts$i" "--nodes=4 --ntasks-per-node=1" ../../tests/slurm/starts 12; done
for i in 4 5 6; do submit "starts$i" "--nodes=2 --gpus-per-node=4" ../../tests/slurm/starts 12; done
submit_train uneven "--nodes=2 --ntasks=3" train.sbatch --steps $steps
submit_train gpus "--nodes=2 --gpus-per-node=4" train.sbatch --steps $steps --device cpu
submit_train threads "--nodes=1 --cpus-per-task=2" train.sbatch --steps $steps
# A folder that is another one on each node.
STAGE_DATA=1 SCRATCH=$home/tmp submit_train staged "--nodes=2 --ntasks-per-node=2" train.sbatch --steps $steps
# Images on each node's own disk ($home/tmp), of which one has another bit than the other; and one file fewer records.
for i in 3 4; do
    cp -a "$tmp/data" "$home/nodes/n$i/tmp/images" && cp -a "$tmp/data" "$home/nodes/n$i/tmp/fewer"
done
printf '\001' | dd of="$home/nodes/n4/tmp/images/data_batch_2.bin" bs=1 seek=70000 conv=notrunc status=none
truncate -s $((40 * 3073)) "$home/nodes/n4/tmp/fewer/test_batch.bin"
submit_train apart "--nodes=2 --ntasks-per-node=2 --nodelist=n3,n4" train.sbatch --steps $steps --data "$home/tmp/images"
submit_train fewer "--nodes=2 --ntasks-per-node=2 --nodelist=n3,n4" train-resilient.sbatch --steps $steps --data "$home/tmp/fewer"
submit_train wrong "--nodes=2" train.sbatch --steps $steps --bach-size 32
submit_train wrong-resilient "--nodes=2" train-resilient.sbatch --steps $steps --lr many
export BATCHES="32 64" REPEATS=1
SETTINGS="cpu cores" STUDY=$tmp/study submit study "--nodes=2 --array=0-4 --open-mode=append" timing-study.sbatch \
    $recipes/tiny.yaml --lanes $lanes --steps 4
STUDY=$tmp/whole-study submit whole-study "--nodes=2 --ntasks-per-node=2" timing-study.sbatch $recipes/tiny.yaml --lanes $lanes --steps 4
unset BATCHES REPEATS
submit evaluated "--ntasks=3" evaluate.sbatch "$tmp/reference/best.h5" --json
# Not on those whose adapters are other ones below, however late this job starts.
submit_train looked "--nodes=2 --ntasks-per-node=2 --exclude=n5,n6" preflight.sbatch
# Nodes of which the kernel says that they have a fast adapter, whose counters stand still.
ports=$tmp/class/infiniband/mlx5_0/ports/1
mkdir -p "$tmp/class/net/eth0" "$ports/counters"
echo up >"$tmp/class/net/eth0/operstate"
echo 1000 >"$tmp/class/net/eth0/speed"
echo '100 Gb/sec (4X EDR)' >"$ports/rate"
echo '4: ACTIVE' >"$ports/state"
echo 12345 >"$ports/counters/port_xmit_data"
for i in 5 6; do nsenter -t "$(node pid n$i)" -m mount --bind "$tmp/class" /sys/class; done
submit_train slow-link "--nodes=2 --ntasks-per-node=2 --nodelist=n5,n6" preflight.sbatch
submit_train no-data "--nodes=2 --ntasks-per-node=2" preflight.sbatch --data "$tmp/nowhere"
submit no-checkpoint "" evaluate.sbatch "$tmp/reference/none.h5"

# Somebody who is not root, with a clone of their own.
mkdir -p "$tmp/clone/build" && cp -r scripts tests "$tmp/clone" && cp "$program" "$tmp/clone/build"
chmod -R a+rX "$tmp" && chmod a+x "$tmp" && chown -R nobody "$tmp/clone"
as_nobody=(setpriv --reuid=nobody --regid=nogroup --clear-groups)
job[nobody]=$(cd "$tmp/clone" && HOME=$tmp/clone "$OLDPWD/$tools/run.sh" "$home" "${as_nobody[@]}" sbatch --parsable --nodes=2 \
    --output=out scripts/slurm/train.sbatch $recipes/tiny.yaml --lanes $lanes --steps $steps --out run) ||
    fail "a user who is not root submits"

for launcher in srun mpirun; do
    for layout in 2x2 4x1 4x2; do
        finished_like $launcher-$layout reference "$layout ranks by $launcher"
        check "$layout ranks by $launcher: so many ranks on so many nodes" \
            test "$(grep -cE '^rank [0-9]+ on n[0-9]+: lanes' "$tmp/$launcher-$layout.out")" = $((${layout/x/*}))
    done
done
for launcher in srun mpirun; do finished_like $launcher-step reference "ranks by $launcher from inside a step"; done
for i in 1 2 3; do ends "starts$i" COMPLETED 0:0 "twelve starts of four ranks on four nodes by srun, $i of 3"; done
for i in 4 5 6; do ends "starts$i" COMPLETED 0:0 "twelve starts of eight ranks on two nodes by srun, $((i - 3)) of 3"; done
finished_like uneven reference "three tasks on two nodes"
finished_like gpus reference "four GPUs a node and no word of tasks"
check "four GPUs a node: a rank a GPU" said gpus '8 ranks x 1 thread'
finished_like threads reference "--cpus-per-task=2"
check "--cpus-per-task=2: two threads" said threads '1 rank x 2 threads'
finished_like staged reference "staged data"
check "staged data: copied once a node" test "$(grep -c '^stage: .* copied to n[12345678]:' "$tmp/staged.out")" = 2
check "staged data: read from there" grep -qE "^data: [^ ]+ in $home/tmp/lockstep-data-" "$tmp/staged.out"
check "staged data: compared between the nodes" grep -q '^data: .* have 2 copies .* with equal hashes' "$tmp/staged.out"
ends apart FAILED 3:0 "nodes with different images: the job fails with code 3"
one_error 3 "ranks read different images .*: rank . on n[34] has hash [0-9a-f]{16} from $home/tmp/images, rank . on n[34] has [0-9a-f]{16} " \
    "nodes with different images: both are named"
check "nodes with different images: the readers are on two nodes" grep -qE 'rank . on n3 has .* rank . on n4 has|rank . on n4 has .* rank . on n3 has' "$log"
ends fewer FAILED 3:0 "nodes with other numbers of images: the job fails with code 3"
one_error 3 "rank 2 on n[34] finds 820 training and [0-9]+ test records .*; rank 0 on n[34] finds 820 training and [0-9]+ test" \
    "nodes with other numbers of images: both are named"
check "nodes with other numbers of images: is not requeued" test "$(restarts fewer)" = 0

until_true "$patience" ended nobody
check "a user who is not root: the job completes" test "$(show nobody JobState)" = COMPLETED
check "a user who is not root: the same bits" \
    test "$(tests/read_json get "$tmp/clone/run/result.json" state_hash)" = "$(result reference state_hash)"

ends evaluated COMPLETED 0:0 "evaluation: the job completes"
# shellcheck disable=SC2016 # read by python
check "evaluation: the loss of the run at that step" /usr/bin/python3 - "$tmp/evaluated.out" "$tmp/reference/metrics.jsonl" <<'PY'
import json, sys
text = open(sys.argv[1]).read()
found = json.loads(text[text.index("{"):text.rindex("}") + 1])
logged = [json.loads(line) for line in open(sys.argv[2])]
print(found)
assert any(found["test_loss"] == entry["loss"] for entry in logged if entry["kind"] == "eval")
PY
ends looked COMPLETED 0:0 "preflight: the job completes"
check "preflight: both nodes, each with two ranks" test "$(grep -cE '^n[1-8] +[02]-[13] ' "$tmp/looked.out")" = 2
check "preflight: ready" said looked '^ready: 4 ranks, rank 0 on n'
check "preflight: over which link the sums went" said looked '^  the sums went over eth0 of n[1-8] and 1 more host, at best [0-9.]+ Gb/s a rank'
check "preflight: and no word of another" test "$(grep -c '^warning: the sums went' "$tmp/looked.out")" = 0
ends slow-link COMPLETED 0:0 "preflight where a fast link carries nothing: the job completes"
check "preflight: launch.sh took the fastest network" said slow-link 'network eth0, the fastest of all nodes, 1 Gb/s, '
check "preflight: a fast link that carries nothing is told once" test "$(grep -cE \
    '^warning: the sums went over eth0 \(1 Gb/s\) of n5 and 1 more host, and not by mlx5_0/1 \(100 Gb/s\), which is up: ' "$tmp/slow-link.out")" = 1
check "preflight: leaves no run directory" test ! -e "$tmp/looked"
ends no-data FAILED 3:0 "preflight without data: the job fails with code 3"
one_error 3 "nowhere" "preflight without data: one line"
ends no-checkpoint FAILED 4:0 "evaluation of nothing: the job fails with code 4"

ends wrong FAILED 2:0 "a wrong option: the job fails with code 2"
one_error 2 "unknown option --bach-size; did you mean --batch-size" "a wrong option: one line"
ends wrong-resilient FAILED 2:0 "a wrong value: the resilient job fails with code 2"
check "a wrong value: is not requeued" test "$(restarts wrong-resilient)" = 0

# An array's jobs are shown together; the one with the highest index starts last.
study_ended() { ! on_login squeue -h -j "${job[study]}" | grep -q .; }
check "the timing study ends" until_true "$patience" study_ended
ends whole-study COMPLETED 0:0 "the timing study in one job: completes"
for name in study whole-study; do
    check "the timing study ($name): a row for each combination" test "$(cut -d , -f 1-3 "$tmp/$name/study.csv" | tr '\n' ' ')" = \
        "setting,batch,repeat cpu,32,1 cpu,64,1 cores,32,1 cores,64,1 "
    # shellcheck disable=SC2016 # awk's
    check "the timing study ($name): every field filled in" \
        awk -F , 'NR == 1 { n = NF } NF != n { exit 1 } { for (i = 1; i <= NF; i++) if ($i == "") exit 1 }' "$tmp/$name/study.csv"
    # shellcheck disable=SC2016 # awk's
    check "the timing study ($name): as many hashes as rows" awk -F , '
        NR == 1 { for (i = 1; i <= NF; i++) at[$i] = i; next }
        length($at["state_hash"]) != 16 || $at["state_hash"] in seen { exit 1 } { seen[$at["state_hash"]] }' "$tmp/$name/study.csv"
    check "the timing study ($name): a summary and plots" test "$(wc -l <"$tmp/$name/summary.csv") $(find "$tmp/$name" -name '*.svg' | wc -l)" = "5 2"
done
check "the timing study in one job: cores are those of four ranks on two nodes" test "$(cut -d , -f 1,5 "$tmp/whole-study/study.csv" | tail -n 2 |
    tr '\n' ' ')" = "cores,4 cores,4 "
check "the timing study in one job: says what is not there" said whole-study '^single: not there: no GPU'
check "the timing study: one index too many is an error that names the array" said study 'no combination 4: .*--array=0-3'
check "the timing study: and a failed job" grep -q 'JobState=FAILED' <(on_login scontrol show job "${job[study]}_4")
finish
