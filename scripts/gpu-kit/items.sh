# What run.sh runs as items, in a shell of their own: source this in an unpacked kit, after env.sh. A line that begins with {"kind":
# is kept as a figure; an item fails by its code.
# shellcheck shell=bash disable=SC2034 # run.sh reads the names

lockstep=build/lockstep steps=50
small=tests/recipes/small.yaml resnet9=configs/resnet9.yaml airbench94=configs/airbench94.yaml vit=configs/vit.yaml
others=(configs/burst-cnn.yaml configs/msu-net.yaml configs/quickstart.yaml configs/cct2.yaml configs/resnet44.yaml)
torch=(--device cuda) data=synthetic
if [ -n "${GPU_REHEARSAL:-}" ]; then
    small=$GPU_REHEARSAL resnet9=$GPU_REHEARSAL airbench94=$GPU_REHEARSAL vit=$GPU_REHEARSAL others=("$GPU_REHEARSAL")
    torch=(--device cpu) data=$SCRATCH/data steps=5
    [ -d "$data" ] || build/tests/dist/make_cifar "$data" 16 32
fi
# Pictures and pages are not what is asked for.
export LOCKSTEP_REPORT=false LOCKSTEP_TENSORBOARD_EVENTS=false LOCKSTEP_TENSORBOARD_IMAGES=0 CMOCKA_MESSAGE_OUTPUT=TAP

# object KEY=VALUE...: one of texts.
object() { python3 -c 'import json, sys; print(json.dumps(dict(word.split("=", 1) for word in sys.argv[1:])))' "$@"; }

machine() {
    local smi gpu driver versions torch
    cat made
    smi=$(nvidia-smi --query-gpu=name,driver_version,clocks.sm,clocks.max.sm,temperature.gpu,power.draw --format=csv,noheader) && echo "$smi"
    gpu=$(build/tests/gpu/gpu_properties name 0) || return 1
    driver=$(cut -s -d, -f 2 <<<"$smi" | head -n 1)
    versions=$($lockstep --version) || return 1
    torch=$(python3 -c 'import torch; print(torch.__version__)' 2>/dev/null)
    echo "$versions"
    ls -l cuda
    ldd build/liblockstep_cuda.so
    grep -m 1 'model name' /proc/cpuinfo
    object kind=machine date="$(date -u +%F)" gpu="$gpu" driver="${driver# }" kit="$(tail -n 1 made)" versions="$(paste -sd ' ' <<<"$versions")" \
        torch="$torch" python="$(python3 -c 'import platform; print(platform.python_version())')" cores="$(nproc)"
}

# The layers in each precision, and what else is compared, side by side: most of their time is planning, on the CPU. Where their time
# is up, what they have printed by then is printed all the same.
layers() {
    local part code=0 parts=(fp32 tf32 bf16 others)
    trap 'kill -KILL $(jobs -p) 2>/dev/null; cat "$SCRATCH"/layers-*; exit 1' TERM
    for part in "${parts[@]}"; do
        TEST_PART=$part build/tests/ops/test_cuda_vs_ref >"$SCRATCH/layers-$part" 2>&1 &
    done
    for part in "${parts[@]}"; do wait -n || code=1; done
    cat "$SCRATCH"/layers-*
    return $code
}

first_steps() { # RECIPE PRECISION: loss falls, nothing is NaN
    $lockstep train "$1" --device cuda --precision "$2" --data "$data" --steps $((steps * 3 / 5)) --log-every 1 --reset --out "$SCRATCH/first" ||
        return 1
    grep -o '"kind":"train".*"loss":[^,]*' "$SCRATCH/first/metrics.jsonl"
    python3 - "$SCRATCH/first/result.json" <<'END'
import json, sys
result = json.load(open(sys.argv[1]))
print(json.dumps({"kind": "first", "device": result["device"], "state_hash": result["state_hash"], "wall_s": result["wall_s"]}))
END
}

card() { # what cuDNN says of the card, and in what it differs from the one that check-plans plans for
    local sm
    [ -z "${GPU_REHEARSAL:-}" ] || { echo "ok - properties of the card # SKIP a rehearsal has no card" && return 0; }
    sm=$(build/tests/gpu/gpu_properties sm 0) && build/tests/gpu/gpu_properties dump 0 >"$SCRATCH/$sm.json" || return 1
    echo "{\"kind\":\"card\", \"sm\": \"$sm\", \"properties\": $(tr -d '\n' <"$SCRATCH/$sm.json")}"
    build/tests/gpu/gpu_properties compare "tests/plans/gpus/$sm.json" "$SCRATCH/$sm.json" || true # of one sm there are several
}

hash_of() { # NAME WORD...: the state hash of a short run
    local name=$1
    shift
    $lockstep train "$resnet9" --device cuda --data "$data" --steps $((steps - steps / 5)) --reset --out "$SCRATCH/$name" "$@" >&2 || return 1
    tests/read_json get "$SCRATCH/$name/result.json" state_hash
}
same_bits() { # WORD... [-- WORD...]: two runs have one hash; the second has the words behind -- as well
    local words=() one two
    while [ $# -gt 0 ] && [ "$1" != -- ]; do words+=("$1") && shift; done
    [ $# = 0 ] || shift
    one=$(hash_of one "${words[@]}") && two=$(hash_of two "${words[@]}" "$@") || return 1
    echo "state_hash $one, then $two"
    [ "$one" = "$two" ]
}

# cuDNN's compiled engines are found without what env.sh sets for the loader.
own_libraries() {
    local with without
    with=$(hash_of with --precision bf16) || return 1
    without=$(LD_LIBRARY_PATH=$KIT_LOADER bash -c '. scripts/gpu-kit/items.sh && hash_of without --precision bf16') || return 1
    grep -h "own kernels" "$SCRATCH"/{with,without}/log.txt
    echo "state_hash $with with it, $without without"
    [ "$with" = "$without" ]
}

speed() { # RECIPE PRECISION WORD...
    local recipe=$1 precision=$2 found
    shift 2
    found=$($lockstep bench "$recipe" --device cuda --data "$data" --steps "$steps" --precision "$precision" --json "$@") || return 1
    echo "{\"kind\":\"lockstep\", \"precision\": \"$precision\", \"options\": \"$*\", \"bench\": $found}"
}

pytorch() { # RECIPE PRECISION MODE
    python3 bench/pytorch_gpu "$1" --precision "$2" --mode "$3" --steps "$steps" "${torch[@]}"
}

two_ranks() { # NCCL between two ranks on one GPU gives the sums, and the bits, of one rank
    # shellcheck disable=SC2016 # a rank's shell expands it
    local two=(mpirun -np 2 -x LD_PRELOAD="$KIT/build/tests/gpu/same_gpu.so" -x NCCL_SOCKET_IFNAME=lo -x NCCL_DEBUG=WARN
        bash -c 'export NCCL_HOSTID=rank$OMPI_COMM_WORLD_RANK; exec "$@"' rank) run one both
    run=("$lockstep" train "$small" --device cuda --data "$data" --steps $((steps / 2)) --reset)
    "${run[@]}" --out "$SCRATCH/one" && one=$(tests/read_json get "$SCRATCH/one/result.json" state_hash) || return 1
    "${two[@]}" "${run[@]}" --out "$SCRATCH/both" && both=$(tests/read_json get "$SCRATCH/both/result.json" state_hash) || return 1
    echo "state_hash $one on one rank, $both on two"
    [ "$one" = "$both" ]
}

profile() { # time, arithmetic and memory of each kernel of a step with one lane, from ncu
    local metrics=gpu__time_duration.sum,sm__throughput.avg.pct_of_peak_sustained_elapsed,dram__throughput.avg.pct_of_peak_sustained_elapsed
    ncu --csv --page raw --print-units base --metrics $metrics --clock-control none --cache-control none --launch-skip 400 --launch-count 100 \
        $lockstep bench "$resnet9" --device cuda --data "$data" --precision bf16 --lanes 1 --steps 3 >"$SCRATCH/ncu.csv" || return 1
    cat "$SCRATCH/ncu.csv"
    scripts/gpu-kit/kernels "$SCRATCH/ncu.csv"
}

to_the_end() { # RECIPE SEED: training on the real images, and what it came to; ends by itself where the limit is too short
    local name code
    name=$SCRATCH/end-$(basename "$1" .yaml)-$2
    $lockstep train "$1" --device cuda --precision bf16 --seed "$2" --reset --out "$name" --max-time $((ITEM_S - 5))s ${STREAMS:+--threads "$STREAMS"}
    code=$?
    [ -f "$name/result.json" ] || return $code # without the images: code 3
    python3 - "$(basename "$1" .yaml)" "$2" $code "$name/result.json" <<'END'
import json, sys
recipe, seed, code, path = sys.argv[1:]
result = json.load(open(path))
keys = ["device", "dataset", "epoch", "step", "test_accuracy", "images_per_s", "train_s", "wall_s", "state_hash"]
print(json.dumps(dict({"kind": "result", "recipe": recipe, "seed": int(seed), "code": int(code)}, **{key: result.get(key) for key in keys})))
END
    return $code
}
