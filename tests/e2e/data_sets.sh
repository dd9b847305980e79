#!/bin/bash
# What a set is called follows from its records; what is odd about them is warned of; and of a folder without the images is said what
# it holds instead.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"

real=${CIFAR10_DIR:-}
small_data "$tmp/data" 40 60 || { fail "small data" && finish; }
unset CIFAR10_DIR
net=$recipes/tiny.yaml

# ---- Names. ----
train small 2 $net --data "$tmp/data" --steps 2
check "a small set in CIFAR-10's format: cifar10-like" test "$code $(result small dataset)" = "0 cifar10-like"
check "which the log says" grep -q "^data: cifar10-like in $tmp/data: 200 training, 60 test images of 3 x 32 x 32 in 10 classes" "$log"
refuse "no warning where nothing is odd" grep -q '^warning: data' "$log"
size=$(stat -L -c %s "$real/data_batch_1.bin" 2>/dev/null)
if [ "$size" = 30730000 ]; then
    train whole 2 $net --data "$real" --steps 1 --train-records 1000
    check "CIFAR-10: cifar10, though a part is trained on" test "$code $(result whole dataset)" = "0 cifar10"
    "$program" eval "$tmp/whole" --data "$real" --json >"$tmp/eval.json" 2>"$log"
    check "CIFAR-10: cifar10 to eval" test "$(tests/read_json get "$tmp/eval.json" dataset)" = cifar10
    mkdir "$tmp/turned"
    # The files in another order, and one of them from its end.
    for i in 1 2 3 4; do ln -s "$real/data_batch_$((i + 1)).bin" "$tmp/turned/data_batch_$i.bin"; done
    /usr/bin/python3 - "$real/data_batch_1.bin" "$tmp/turned/data_batch_5.bin" <<'END'
import sys
content = open(sys.argv[1], "rb").read()
open(sys.argv[2], "wb").write(b"".join(content[i:i + 3073] for i in range(len(content) - 3073, -1, -3073)))
END
    ln -s "$real/test_batch.bin" "$tmp/turned/test_batch.bin"
    train turned 3 $net --data "$tmp/turned" --steps 1
    check "CIFAR-10 in another order: cifar10" test "$code $(result turned dataset)" = "0 cifar10"
    refuse "no warning of CIFAR-10" grep -q '^warning: data' "$log"
    # One pixel of one record that --train-records leaves out.
    printf 'x' | dd of="$tmp/turned/data_batch_5.bin" bs=1 seek=$((3073 * 9000 + 5)) conv=notrunc 2>/dev/null
    train other 2 $net --data "$tmp/turned" --steps 1 --train-records 1000
    check "one other pixel: cifar10-like" test "$code $(result other dataset)" = "0 cifar10-like"
    rm -r "$tmp/turned"
else
    skip "CIFAR-10: cifar10" "CIFAR10_DIR does not have it"
fi
train made 2 $net --data synthetic --steps 1
check "synthetic" test "$code $(result made dataset)" = "0 synthetic"

# ---- What is odd. ----
# copy NAME: the small set under another name
copy() { rm -rf "${tmp:?}/$1" && cp -r "$tmp/data" "$tmp/$1"; }
warns() {
    train odd 3 $net --data "$tmp/$1" --steps 1 --reset
    check "$3" test "$code $(grep -cE "^warning: data: $2" "$log") $(grep -c '^warning: data' "$log")" = "0 1 1"
}
copy twice && cp "$tmp/twice/data_batch_2.bin" "$tmp/twice/data_batch_4.bin"
warns twice 'data_batch_2.bin and data_batch_4.bin in .* have the same records: is one a copy' "a file twice"
copy black && head -c $((40 * 3073)) /dev/zero >"$tmp/black/data_batch_3.bin"
warns black '40 of 40 images of data_batch_3.bin in .* are black' "a file of zeros"
copy leak && head -c $((40 * 3073)) "$tmp/leak/data_batch_5.bin" >"$tmp/leak/test_batch.bin" &&
    tail -c $((20 * 3073)) "$tmp/data/test_batch.bin" >>"$tmp/leak/test_batch.bin"
warns leak '40 of 60 test images are training images as well' "a test set that is trained on"

# ---- Folders without the images. ----
says() {
    train refused 2 $net --data "$tmp/$1"
    one_error 3 "$2" "$3"
}
mkdir -p "$tmp"/{pickles/cifar-10-batches-py,archive,sub,upper,pictures/{train,test},idx,own,npz,empty}
touch "$tmp/pickles/cifar-10-batches-py/data_batch_1" "$tmp/archive/cifar-10-binary.tar.gz" "$tmp/upper/DATA_BATCH_1.BIN" \
    "$tmp/idx/train-images-idx3-ubyte.gz" "$tmp/own/set.h5" "$tmp/npz/set.npz"
cp -r "$tmp/data" "$tmp/sub/cifar-10-batches-bin"
says pickles/cifar-10-batches-py "Python pickles; scripts/to_hdf5.py $tmp/pickles/cifar-10-batches-py cifar10.h5" "pickles"
says pickles "Python pickles, in cifar-10-batches-py; scripts/to_hdf5.py $tmp/pickles/cifar-10-batches-py cifar10.h5" "a folder of pickles"
says archive 'holds an archive, cifar-10-binary.tar.gz, which is not unpacked' "an archive"
says sub "has the images in a folder of its own: --data $tmp/sub/cifar-10-batches-bin" "a folder too high"
says upper 'has DATA_BATCH_1.BIN, .* rename the six files' "upper case"
train refused 2 $net --data "$tmp/data" --labels coarse
one_error 2 'labels coarse: .*/data has one kind of labels' "coarse labels of a set without"
says pictures "folders train and test; of pictures, .* scripts/to_hdf5.py $tmp/pictures set.h5" "pictures"
says idx 'holds idx files, as MNIST has them; scripts/to_hdf5.py' "idx files"
says own "holds an HDF5 file: name it, --data $tmp/own/set.h5" "an HDF5 file"
says npz "holds set.npz; scripts/to_hdf5.py $tmp/npz/set.npz set.h5" "an npz"
says empty "lacks the images: data_batch_1.bin: .*scripts/get-cifar10.sh" "an empty folder"
says nowhere 'nowhere: No such file or directory; fetch the images with' "no folder at all"
finish
