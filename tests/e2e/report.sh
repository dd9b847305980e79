#!/bin/bash
# waits: the page of a run must be made in two seconds
# The report of a run: by itself at the end of train and by `lockstep report`; a page that needs nothing else, pictures of the
# size they should have, crashes and resumes, several runs together; in a real browser where there is one.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"

small_data "$tmp/data" 200 200 || { fail "small data" && finish; }
export CIFAR10_DIR=$tmp/data LOCKSTEP_REPORT=true
tiny=$recipes/tiny.yaml
# On a busy machine two seconds may not be enough for it: then once more.
for attempt in 1 2 3 4; do
    train whole 2 $tiny --steps 40 --reset
    grep -q "report: $tmp" "$log" && break
done
check "a run (attempt $attempt)" test "$code" = 0
if ! "$program" report "$tmp/whole" >"$log" 2>&1; then
    check "without cairo the run says how to get its report" grep -q "report: none yet; .lockstep report" "$tmp/whole/log.txt"
    one_error 5 'libcairo2-dev' "without cairo: what to install"
    skip "the report" "lockstep was built without cairo"
    finish
fi
check "the run names its report" grep -q "report: $tmp/whole/report/report.html" "$tmp/whole/log.txt"
check "lockstep report prints the page's path" grep -qx "$tmp/whole/report/report.html" "$log"

percent=$(awk -v a="$(result whole test_accuracy)" 'BEGIN { printf "%.2f", 100 * a }')
check "the page is whole, asks for nothing, and has the result" tests/e2e/check_report page "$tmp/whole/report/report.html" \
    "$percent %" "$(result whole state_hash)" "after 1 epoch (40 steps)" "on 2 ranks" "automobile" "optimizer: name: sgd" \
    "$program train $tiny" "Open MPI" "oneDNN" "Training images, one of each class" \
    "Training images as they are trained on" "What augmentation makes of them in each epoch." "Most confidently wrong" "--steps 40"
for picture in model_losses accuracy learning_rate where_time_went; do
    check "$picture.png has its size" tests/e2e/check_report png "$tmp/whole/report/$picture.png" 960 640
done
for picture in confusion_matrix per_class; do
    check "$picture.png has its size" tests/e2e/check_report png "$tmp/whole/report/$picture.png" 960 960
done
for picture in training_example_images training_images_augmented wrong_examples; do
    check "$picture.png is there" test -s "$tmp/whole/report/$picture.png"
done
check "nothing else is left in the folder" bash -c "! ls -A '$tmp/whole/report' | grep -vE '\.png$|^report.html$'"
rm "$tmp/whole/report/"*
check "again: the same page" bash -c "'$program' report '$tmp/whole' && [ \$(ls '$tmp/whole/report' | wc -l) = 10 ]"

# The confusion matrix on the page against result.json: the diagonal is in the table.
check "the table by class has the counts of result.json" python3 - "$tmp/whole" <<'END'
import json, re, sys
confusion = json.load(open(sys.argv[1] + "/result.json"))["confusion"]
page = open(sys.argv[1] + "/report/report.html").read()
rows = re.findall(r'<tr><th scope="row">[a-z]+</th><td>(\d+)</td><td>(\d+)</td>', page)
assert rows == [(str(sum(row)), str(row[i])) for i, row in enumerate(confusion)], rows
END

# The wrong examples against predictions.h5: the surest first, with truth, guess and probability.
if /usr/bin/python3 -c 'import h5py' 2>/dev/null; then
    check "the wrong examples are those of predictions.h5, the surest first" /usr/bin/python3 - "$tmp/whole" "$CIFAR10_DIR" <<'END'
import h5py, json, re, sys
import numpy as np
names = "airplane automobile bird cat deer dog frog horse ship truck".split()
file = h5py.File(sys.argv[1] + "/predictions.h5", "r")
label, predicted, probability = (file[k][()] for k in ("label", "predicted", "probability"))
result = json.load(open(sys.argv[1] + "/result.json"))
records = np.fromfile(sys.argv[2] + "/test_batch.bin", np.uint8).reshape(-1, 3073)
assert (label == records[:, 0]).all() and file.attrs["step"] == 40
confusion = np.zeros((10, 10), int)
np.add.at(confusion, (label, predicted), 1)
assert confusion.tolist() == result["confusion"]
wrong = sorted(np.flatnonzero(label != predicted), key=lambda i: (-probability[i], i))[:20]
page = open(sys.argv[1] + "/report/report.html").read()
page = page[page.index('id="wrong_examples"'):]
words = re.findall(r">(truth|guess): ([a-z]+)</text>|>([0-9.]+) %</text>", page)
want = [w for i in wrong for w in (("truth", names[label[i]], ""), ("guess", names[predicted[i]], ""),
                                   ("", "", "%.1f" % (100 * probability[i])))]
assert words == want, (words[:6], want[:6])
END
else
    skip "the wrong examples are those of predictions.h5" "python3-h5py is missing"
fi

# ---- Crash, resume, stop. ----
train crash 2 $tiny --steps 40 --checkpoint-every 7 --crash-at 17
refuse "a crash" test $code = 0
check "a crash leaves a start alone" \
    test "$(grep -c '"kind":"start"' "$tmp/crash/sessions.jsonl") $(grep -c '"kind":"end"' "$tmp/crash/sessions.jsonl")" = "1 0"
check "a run that has not ended has a page" "$program" report "$tmp/crash"
check "which says so" tests/e2e/check_report page "$tmp/crash/report/report.html" "The run has not ended"
train crash 3 $tiny --steps 40 --checkpoint-every 7
check "resumed" test $code = 0
same crash whole "the bits of the run that never crashed"
check "on 3 ranks after a crash: the predictions of 2 ranks, to the bit" /usr/bin/python3 tests/e2e/check_report predictions \
    "$tmp/crash/predictions.h5" "$tmp/whole/predictions.h5"
check "starts and the end, with step and ranks" test \
    "$(sed -E 's/.*"kind":"([a-z]+)".*"step":([0-9]+).*/\1 \2/' "$tmp/crash/sessions.jsonl" | tr '\n' ' ')" = "start 0 start 14 end 40 "
check "the crash is marked on the curves" tests/e2e/check_report page "$tmp/crash/report/report.html" "crash, resumed" "no word of its end"
check "three figures have the mark" test "$(grep -c '>crash, resumed</text>' "$tmp/crash/report/report.html")" = 3
start stop 2 $tiny --epochs 100000
until_true 60 test -s "$tmp/stop/metrics.jsonl"
kill -USR1 "$launched"
wait_for stop
check "a requested stop waits for no report" bash -c "[ $code = 75 ] && [ ! -e '$tmp/stop/report' ]"
check "a stopped run has a page" "$program" report "$tmp/stop"
check "which says so" tests/e2e/check_report page "$tmp/stop/report/report.html" "The run was asked to stop"
train again 2 $tiny --steps 8 --reset
cp "$tmp/again/sessions.jsonl" "$tmp/before"
train again 2 $tiny --steps 8 --reset
check "--reset begins a new sessions.jsonl" test "$(wc -l <"$tmp/again/sessions.jsonl")" = 2

# ---- A report never fails a run. ----
mkdir "$tmp/blocked"
: >"$tmp/blocked/report"
train blocked 1 $tiny --steps 4
check "where it cannot be written the run ends well, and says so" bash -c "[ $code = 0 ] && grep -q 'report: none yet' '$log'"
train off 1 $tiny --steps 4 --report false
check "--report false" bash -c "[ $code = 0 ] && [ ! -e '$tmp/off/report' ] && ! grep -q 'report:' '$log'"

# ---- Several runs. ----
for seed in 2 3; do train seed-$seed 1 $tiny --steps 40 --seed $seed; done
train slow 1 $tiny --steps 40 --optimizer.lr 0.01
"$program" report "$tmp/whole" "$tmp/seed-2" "$tmp/seed-3" "$tmp/slow" --out "$tmp/all" >"$log" 2>&1
code=$?
check "several runs" test $code = 0
check "their page is whole" tests/e2e/check_report page "$tmp/all/report.html" "4 runs compared" seed-2 seed-3 slow \
    "optimizer.lr" "0.01" "$(result slow state_hash)"
check "mean and deviation over seeds" tests/e2e/check_report seeds "$tmp/all/report.html" "$tmp/whole/result.json" \
    "$tmp/seed-2/result.json" "$tmp/seed-3/result.json"
check "on the curves too: a line for them, and one for the other" tests/e2e/check_report bands "$tmp/all/report.html" "$tmp/whole" \
    "$tmp/seed-2" "$tmp/seed-3" "$tmp/slow"
cp -r "$tmp/seed-3" "$tmp/going"
rm "$tmp/going/result.json"
"$program" report "$tmp/whole" "$tmp/seed-2" "$tmp/going" --out "$tmp/two" >"$log" 2>&1
check "a run that has not ended is not of the mean" grep -q ">whole, mean of 2 seeds</text>" "$tmp/two/report.html"
check "but a line of its own" grep -q '>going</text>' "$tmp/two/report.html"
check "what does not differ is not in the table" bash -c "! grep -q optimizer.momentum '$tmp/all/report.html'"

# ---- Errors. ----
lockstep 0 report
one_error 2 'which run' "no run"
lockstep 0 report "$tmp/nowhere"
one_error 2 'nowhere' "a run that is not there"
lockstep 0 report "$tmp/data"
one_error 2 'no run directory' "a folder that is no run"
lockstep 0 report "$tmp/whole" "$tmp/slow"
one_error 2 '--out DIR' "several runs without --out"
cp -r "$tmp/whole" "$tmp/elsewhere"
env -u CIFAR10_DIR "$program" report "$tmp/elsewhere" >"$log" 2>&1
check "without the images: a page that says so" tests/e2e/check_report page "$tmp/elsewhere/report/report.html" "The images were not found"

# ---- In a browser. ----
browser=$(command -v chromium || command -v chromium-browser || command -v google-chrome)
if [ -z "$browser" ]; then
    skip "the page in a real browser" "no chromium"
    finish
fi
# browse WIDTH PAGE: the title that the page's probe gave it, in $title; what the browser was asked for, in $tmp/net.
browse() {
    tests/e2e/check_report probe "$2" "$tmp/probe.html"
    timeout "$run_limit" "$browser" --headless --no-sandbox --disable-gpu --user-data-dir="$tmp/profile" --disable-background-networking \
        --window-size="$1,900" --log-net-log="$tmp/net.json" --enable-logging=stderr --dump-dom "file://$tmp/probe.html" \
        >"$tmp/dom" 2>"$tmp/console"
    title=$(sed -n 's:.*<title>\(pictures.*\)</title>.*:\1:p' "$tmp/dom")
}
# Requests for what is not on this machine, but for the browser's own.
no_request() { ! grep -oE '"url":"(https?|wss?|ftp)://[^"]*' "$tmp/net.json" | grep -vE '//[a-z0-9.-]*\.(google|googleapis|gvt1|gstatic)\.com/'; }
sed 's:</body>:<img src="http\://127.0.0.1\:9/a.png" width="0"><script>console.error("seen")</script></body>:' "$tmp/all/report.html" >"$tmp/bad.html"
browse 1280 "$tmp/bad.html"
refuse "a page that asks for more would be seen" no_request
check "and one with an error" grep -q CONSOLE "$tmp/console"
for page in "$tmp/crash/report/report.html" "$tmp/all/report.html"; do
    for width in 500 1280; do
        browse $width "$page"
        check "$width pixels: every picture has its size, nothing is too wide" \
            bash -c "[[ '$title' =~ ^pictures\ ([0-9]+)\ sized\ ([0-9]+)\ fits ]] && [ \${BASH_REMATCH[1]} = \${BASH_REMATCH[2]} ] || { echo '$title'; false; }"
        check "$width pixels: nothing on the console" bash -c "! grep CONSOLE '$tmp/console'"
        check "$width pixels: no request leaves the page" no_request
    done
done
finish
