#!/bin/bash
# What scripts/from_pytorch.py and `lockstep checkpoint import` refuse, in one line, and what they make is good for.
# (tests/e2e/zoo.sh has the networks of configs/zoo.)
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"

python=/usr/bin/python3
$python -c 'import h5py, torch' 2>/dev/null || skip_all "python3-torch or python3-h5py is missing"
config=configs/zoo/resnet20.yaml
$python - "$tmp" <<'END' || { fail "the files" && finish; }
import os
import sys
import torch
sys.path.insert(0, "tests/e2e")
import zoo_modules
folder = sys.argv[1]
state = zoo_modules.MODULES["resnet20"]().state_dict()

class Runs:
    def __reduce__(self):
        return os.system, (f"touch {folder}/ran",)

def save(name, without="", **more):
    torch.save({**{k: v for k, v in state.items() if k != without}, **more}, f"{folder}/{name}.pt")

save("good")
save("short", "linear.bias")
save("long", more=torch.zeros(3))
save("shape", **{"layer1.0.conv1.weight": torch.zeros(16, 3, 3, 3)})
save("nan", **{"linear.bias": torch.full((10,), float("nan"))})
items = list(state.items())
torch.save(dict(items[1:2] + items[:1] + items[2:]), f"{folder}/order.pt")
torch.save({"w": Runs()}, f"{folder}/runs.pt")
torch.save({"w": Runs()}, f"{folder}/old-runs.pt", _use_new_zipfile_serialization=False)
torch.save([torch.zeros(3)], f"{folder}/list.pt")
torch.save({"state_dict": state, "best_prec1": state["bn1.weight"].double().numpy()[0]}, f"{folder}/old.pt",
           _use_new_zipfile_serialization=False)
with open(f"{folder}/old.pt", "rb") as whole, open(f"{folder}/cut.pt", "wb") as cut:
    cut.write(whole.read()[:-1000])
strided = {k: v.t().contiguous().t() if v.dim() == 2 else v for k, v in state.items()}
torch.save(strided, f"{folder}/strided.pt")
torch.save({k: v.bfloat16() if v.is_floating_point() else v for k, v in state.items()}, f"{folder}/bf16.pt")
torch.save({"a": state, "b": state}, f"{folder}/two.pt")
END

# refuses FILE PATTERN
refuses() {
    local file=$tmp/$1
    [[ $1 == *.* ]] || file=$file.pt
    scripts/from_pytorch.py $config "$file" --out "$tmp/refused" >"$log" 2>&1
    code=$?
    check "$1: refused in one line" test "$code $(wc -l <"$log")" != "0 1" -a "$(wc -l <"$log")" = 1
    check "$1: which says why" grep -qE "$2" "$log"
}
refuses short '96 arrays, the network has 97: linear1.bias has no counterpart'
refuses long '98 arrays, the network has 97: more has no counterpart'
refuses shape 'layer1.0.conv1.weight has shape .16, 3, 3, 3., conv2.weight has .16, 16, 3, 3.: the network is another'
refuses nan 'linear1.bias has values that are NaN or infinite'
refuses order 'bn1.weight has shape .16., conv1.weight has .16, 3, 3, 3.: the network is another'
refuses runs 'no tensors that can be loaded .it wants posix.system.'
refuses old-runs 'no tensors that can be loaded .it wants posix.system.'
refuses cut 'no tensors that can be loaded'
refuses list 'holds no state_dict but a list'
refuses two '2 of its entries .a, b. are a state_dict'
refuses missing 'No such file'
refuses missing.npz 'No such file'
check "nothing that a file brings is run" test ! -e "$tmp/ran"
check "nothing is left of what was refused" test ! -e "$tmp/refused"

hash_of() { $python -c 'import h5py, sys; print(h5py.File(sys.argv[1], "r")["meta"].attrs["state_hash"])' "$tmp/$1/step-00000000.h5"; }
# Its twin, and lockstep itself.
check "a good one" scripts/from_pytorch.py $config "$tmp/good.pt" --out "$tmp/good"
check "which is a checkpoint as any other" "$program" inspect "$tmp/good/step-00000000.h5" --verify
check "the same once more is no error" scripts/from_pytorch.py $config "$tmp/good.pt" --out "$tmp/good"
for kind in old strided; do
    check "$kind: read" scripts/from_pytorch.py $config "$tmp/$kind.pt" --out "$tmp/$kind"
    check "$kind: the same to the last bit" test "$(hash_of $kind)" = "$(hash_of good)"
done
check "bf16: read" scripts/from_pytorch.py $config "$tmp/bf16.pt" --out "$tmp/bf16"
check "bf16: as torch has its values in fp32" $python - "$tmp" <<'END'
import sys
import h5py
import torch
theirs = torch.load(f"{sys.argv[1]}/bf16.pt")
with h5py.File(f"{sys.argv[1]}/bf16/step-00000000.h5", "r") as file:
    assert (file["params/linear1.weight"][()] == theirs["linear.weight"].float().numpy()).all()
END
check "its names" sh -c "scripts/from_pytorch.py $config '$tmp/good.pt' --names | grep -qE '^linear1.bias +linear.bias +10$'"
lockstep 0 checkpoint import $config "$tmp/good/step-00000000.h5" "$tmp/twice"
check "a checkpoint is read as weights, too" test "$code" = 0
lockstep 0 checkpoint import configs/zoo/resnet56.yaml "$tmp/good/step-00000000.h5" "$tmp/other"
one_error 4 'good/step-00000000.h5: conv8.weight has shape 32 x 16 x 3 x 3, the model wants 16 x 16 x 3 x 3' "another network's"
lockstep 0 checkpoint import $config "$tmp/good.pt" "$tmp/other"
one_error 4 'good.pt: is not a readable HDF5 file' "no HDF5 file"
lockstep 0 checkpoint import $config "$tmp/good/step-00000000.h5"
one_error 2 'import CONFIG WEIGHTS.h5 DIR' "without a folder"

finish
