/* THE table of options. Everything else about an option follows from its row: the YAML key, the
 * flag, the environment variable, --help, what is stored, what resume compares. */
#include "options.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "lockstep/parse.h"

static const char *const devices[] = {"auto", "cpu", "cuda", "ref", NULL};
static const char *const precisions[] = {"fp32", "tf32", "bf16", NULL};
static const char *const reductions[] = {"exact", "exact32", "native", NULL};
static const char *const reduction_types[] = {"fp32", "bf16", NULL};
static const char *const progresses[] = {"auto", "bar", "lines", NULL};
static const char *const pad_modes[] = {"constant", "reflect", NULL};
static const char *const flip_modes[] = {"random", "alternate", NULL};
static const char *const policies[] = {"none", "randaugment", "trivialaugment", NULL};
static const char *const erasers[] = {"mean", "fill", "noise", NULL};
static const char *const pixel_units[] = {"one", "byte", NULL};
static const char *const schedules[] = {"constant",  "step",    "piecewise", "cosine",
                                        "one-cycle", "plateau", "sgdr",      NULL};
static const char *const bys[] = {"step", "epoch", NULL};
static const char *const shapes[] = {"linear", "cosine", NULL};
static const char *const threshold_modes[] = {"relative", "absolute", NULL};
static const char *const bad_step_policies[] = {"stop", "skip", "rollback", NULL};
static const char *const ttas[] = {"none", "flip", "shifts", NULL};
static const char *const labels[] = {"fine", "coarse", NULL};
static const char *const monitors[] = {"accuracy", "loss", NULL};

/* Where a field stands, and how large it is. */
#define AT(field) offsetof(RunConfig, field), sizeof(((RunConfig *)0)->field)

#define GIGA (1024.0 * 1024.0 * 1024.0)

const Option config_options[] = {
    /* what is trained */
    {"model", NULL, "TEXT", OPTION_TEXT, AT(model), 0, 0, "", NULL, OPTION_FIXED | OPTION_FILE_ONLY,
     "the network, one layer a line, as a block (model: |)"},
    {"label-smoothing", NULL, "X", OPTION_REAL, AT(label_smoothing), 0, 0.999, "0", NULL,
     OPTION_FIXED, "share of the target spread over all classes"},
    {"class-weights", NULL, "X,X,...", OPTION_REALS, AT(class_weights), 1e-9, 1e9, "", NULL,
     OPTION_FIXED,
     "what each class's losses count, a number a class in the order of their labels, as PyTorch's "
     "CrossEntropyLoss(weight=...): a mean loss is divided by the sum of its images' weights"},
    {"seed", NULL, "N", OPTION_SEED, AT(seed), 0, 0, "1", NULL, OPTION_FIXED,
     "initial weights, order, augmentation and dropout all follow from it"},
    {"batch-size", NULL, "B", OPTION_INT, AT(batch_size), 1, 1048576, "256", NULL, OPTION_FIXED,
     "images a step, over all ranks; a multiple of lanes"},
    {"lanes", NULL, "L", OPTION_AUTO, AT(lanes), 1, 4096, "8", NULL, OPTION_FIXED,
     "parts of each batch that are computed alone: the unit of reproducibility, and the most ranks "
     "a run can have; fewer ranks compute several lanes, one after another, for each step, which "
     "is "
     "gradient accumulation; auto: one a compute thread or GPU (other bits elsewhere)"},
    {"epochs", NULL, "N", OPTION_INT, AT(epochs), 1, 1e9, "10", NULL, 0, "passes over the data"},
    {"steps", NULL, "N", OPTION_INT, AT(steps), 0, 1e15, "0", NULL, 0,
     "end after this step, counted from the run's very beginning; 0: after the epochs alone"},
    {"drop-last", NULL, NULL, OPTION_BOOL, AT(drop_last), 0, 0, "true", NULL, OPTION_FIXED,
     "leave out what does not fill a batch at an epoch's end (other records each epoch)"},

    /* data */
    {"data", NULL, "PATH", OPTION_PATH, AT(data), 0, 0, "", NULL, OPTION_UNSTORED,
     "folder of the binary CIFAR-10 files, or an HDF5 file with images of one's own "
     "(docs/data.md), "
     "or synthetic; without it CIFAR10_DIR, then data/cifar10"},
    {"labels", NULL, "NAME", OPTION_CHOICE, AT(labels), 0, 0, "fine", labels, OPTION_FIXED,
     "of CIFAR-100's binary files: the 100 classes, or the 20 superclasses"},
    {"train-records", NULL, "N", OPTION_INT, AT(train_records), 0, 1e9, "0", NULL, OPTION_FIXED,
     "train on the first N records of the training set, in the order of its files, and hold out "
     "those that follow them; 0: on all that are not held out"},
    {"holdout", NULL, "N", OPTION_INT, AT(holdout), 0, 1e9, "0", NULL, OPTION_FIXED,
     "training records that are kept aside to select the best weights: chosen by the seed, or with "
     "train-records those behind them"},
    {"augment.crop-pad", NULL, "PIXELS", OPTION_INT, AT(augment.crop_pad), 0, 16, "0", NULL,
     OPTION_FIXED, "pad each side, then cut out the image's size at random"},
    {"augment.pad-mode", NULL, "NAME", OPTION_CHOICE, AT(augment.pad_mode), 0, 0, "constant",
     pad_modes, OPTION_FIXED,
     "what crop-pad pads with: constant: pad-fill; reflect: the image mirrored at its edge pixels, "
     "which are not repeated"},
    {"augment.pad-fill", NULL, "X,X,X", OPTION_BYTES, AT(augment.pad_fill), 0, 255, "0", NULL,
     OPTION_FIXED,
     "bytes of padding, and of corners that a rotation uncovers, before they are scaled: one, or "
     "one a channel"},
    {"augment.crop-area", NULL, "MIN,MAX", OPTION_RANGE, AT(augment.area), 0, 1, "0,0", NULL,
     OPTION_FIXED,
     "instead of crop-pad: cut out a part with a share of the image's area of MIN to MAX, as in "
     "0.25,1, and enlarge it to the whole, bilinear: torchvision's RandomResizedCrop; 0,0: none"},
    {"augment.crop-aspect", NULL, "MIN,MAX", OPTION_RANGE, AT(augment.aspect), 0.01, 100,
     "0.75,1.3333333333333333", NULL, OPTION_FIXED,
     "width / height of that part before it is enlarged, uniform in the logarithm"},
    {"augment.crop-attempts", NULL, "N", OPTION_INT, AT(augment.attempts), 1, 1000, "10", NULL,
     OPTION_FIXED,
     "draws of area and aspect until such a part fits into the image; after the last the largest "
     "one at the centre is taken"},
    {"augment.flip", NULL, "P", OPTION_REAL, AT(augment.flip), 0, 1, "0", NULL, OPTION_FIXED,
     "probability of a horizontal mirror"},
    {"augment.flip-mode", NULL, "NAME", OPTION_CHOICE, AT(augment.flip_mode), 0, 0, "random",
     flip_modes, OPTION_FIXED,
     "random: drawn in each epoch; alternate: drawn once an image, and the other way in every "
     "other epoch"},
    {"augment.rotate", NULL, "DEGREES", OPTION_REAL, AT(augment.rotate), 0, 180, "0", NULL,
     OPTION_FIXED, "rotate by up to this angle, either way"},
    {"augment.policy", NULL, "NAME", OPTION_CHOICE, AT(augment.policy), 0, 0, "none", policies,
     OPTION_FIXED,
     "changes of each cropped and mirrored image, of 1 or 3 channels, drawn from torchvision's "
     "table of 14 ops with its magnitudes: randaugment: policy-ops of them; trivialaugment: one, "
     "at any magnitude (TrivialAugmentWide); what they uncover is pad-fill"},
    {"augment.policy-ops", NULL, "N", OPTION_INT, AT(augment.policy_ops), 1, POLICY_OPS_MAX, "2",
     NULL, OPTION_FIXED, "of randaugment: ops an image, one after another, any of them again"},
    {"augment.policy-magnitude", NULL, "M", OPTION_INT, AT(augment.policy_magnitude), 0,
     POLICY_BINS - 1, "9", NULL, OPTION_FIXED, "of randaugment: how strong they are, of 31 bins"},
    {"augment.jitter-brightness", NULL, "X", OPTION_REAL, AT(augment.jitter[JITTER_BRIGHTNESS]), 0,
     100, "0", NULL, OPTION_FIXED,
     "torchvision's ColorJitter, of images of 1 or 3 channels: bytes are multiplied by one of 1 - "
     "X to 1 + X and cut off at 255; with the other three in an order that is drawn"},
    {"augment.jitter-contrast", NULL, "X", OPTION_REAL, AT(augment.jitter[JITTER_CONTRAST]), 0, 100,
     "0", NULL, OPTION_FIXED, "likewise their distance from the mean of the image in grey"},
    {"augment.jitter-saturation", NULL, "X", OPTION_REAL, AT(augment.jitter[JITTER_SATURATION]), 0,
     100, "0", NULL, OPTION_FIXED, "likewise their distance from the pixel in grey; colour images"},
    {"augment.jitter-hue", NULL, "X", OPTION_REAL, AT(augment.jitter[JITTER_HUE]), 0, 0.5, "0",
     NULL, OPTION_FIXED, "one of -X to X is added to the hue, of whole turns; colour images"},
    {"augment.brightness", NULL, "X", OPTION_REAL, AT(augment.brightness), 0, 100, "0", NULL,
     OPTION_FIXED,
     "one number of -X to X an image, added to all its pixels as mean and std left them"},
    {"augment.contrast", NULL, "X", OPTION_REAL, AT(augment.contrast), 0, 1, "0", NULL,
     OPTION_FIXED,
     "these are then multiplied by one of 1 - X to 1 + X: about augment.mean, and not cut off"},
    {"augment.cutout", NULL, "PIXELS", OPTION_INT, AT(augment.cutout), 0, IMAGE_SIDE_MAX, "0", NULL,
     OPTION_FIXED, "side of a square that is set to the mean"},
    {"augment.erase", NULL, "P", OPTION_REAL, AT(augment.erase), 0, 1, "0", NULL, OPTION_FIXED,
     "probability that a rectangle of the finished image is written over: torchvision's "
     "RandomErasing; none where none of ten draws of area and aspect fits"},
    {"augment.erase-area", NULL, "MIN,MAX", OPTION_RANGE, AT(augment.erase_area), 0, 1, "0.02,0.33",
     NULL, OPTION_FIXED, "share of the image's area that it covers"},
    {"augment.erase-aspect", NULL, "MIN,MAX", OPTION_RANGE, AT(augment.erase_aspect), 0.01, 100,
     "0.3,3.3", NULL, OPTION_FIXED, "its height / width, uniform in the logarithm"},
    {"augment.erase-with", NULL, "NAME", OPTION_CHOICE, AT(augment.erase_with), 0, 0, "mean",
     erasers, OPTION_FIXED,
     "mean: augment.mean, which is 0 behind the scaling; fill: the bytes of erase-fill; noise: a "
     "number of the standard normal distribution for each byte, behind the scaling"},
    {"augment.erase-fill", NULL, "X,X,X", OPTION_BYTES, AT(augment.erase_fill), 0, 255, "0", NULL,
     OPTION_FIXED, "with erase-with fill: bytes before they are scaled: one, or one a channel"},
    {"augment.mixup", NULL, "ALPHA", OPTION_REAL, AT(augment.mixup), 0, 2, "0", NULL, OPTION_FIXED,
     "each image becomes its weighted mean with another one of its lane, of weights from "
     "Beta(ALPHA, ALPHA), and so do their labels; training accuracy counts the first label; 0: "
     "none"},
    {"augment.cutmix", NULL, "ALPHA", OPTION_REAL, AT(augment.cutmix), 0, 2, "0", NULL,
     OPTION_FIXED,
     "another one's rectangle is put into each image, of an area from Beta(ALPHA, ALPHA), and "
     "labels are weighted by area; beside mixup one of both, drawn for each image; 0: none"},
    {"augment.mix-probability", NULL, "P", OPTION_REAL, AT(augment.mix_probability), 0.001, 1, "1",
     NULL, OPTION_FIXED, "share of the images that mixup and cutmix change"},
    {"augment.unit", NULL, "NAME", OPTION_CHOICE, AT(augment.unit), 0, 0, "one", pixel_units,
     OPTION_FIXED,
     "what mean and std count: one: pixel / 255, so that mean 0,0,0 and std 1,1,1 leave exactly "
     "that; byte: the pixel itself, so that mean and std 128,128,128 are exactly x / 128 - 1"},
    {"augment.mean", NULL, "X,X,X", OPTION_CHANNELS, AT(augment.mean), 0, 255, "auto", NULL,
     OPTION_FIXED,
     "subtracted from the pixel: a number for each channel, or one for all; auto: the mean of the "
     "records that are trained on, from exact sums; in CIFAR-10's format the published "
     "0.4914,0.4822,0.4465"},
    {"augment.std", NULL, "X,X,X", OPTION_CHANNELS, AT(augment.std), 1e-6, 1e6, "auto", NULL,
     OPTION_FIXED,
     "then divided by; auto: their standard deviation; in CIFAR-10's format 0.247,0.2435,0.2616"},
    {"loader.threads", NULL, "N", OPTION_INT, AT(loader_threads), 1, 64, "1", NULL, OPTION_UNSTORED,
     "threads a rank that read and augment"},

    /* how it is trained */
    {"optimizer.name", "optimizer", "NAME", OPTION_CHOICE, AT(optimizer.kind), 0, 0, "sgd",
     optimizer_names, OPTION_FIXED, "the update rule"},
    {"optimizer.lr", "lr", "X", OPTION_REAL, AT(schedule.lr), 0, 1e6, "0.1", NULL, OPTION_FIXED,
     "learning rate; with piecewise a factor on the values of schedule.points"},
    {"optimizer.momentum", NULL, "X", OPTION_REAL, AT(optimizer.momentum), 0, 0.9999999, "0.9",
     NULL, OPTION_FIXED, "of sgd, muon, rmsprop and lars"},
    {"optimizer.nesterov", NULL, NULL, OPTION_BOOL, AT(optimizer.nesterov), 0, 0, "false", NULL,
     OPTION_FIXED, "of sgd and muon"},
    {"optimizer.beta1", NULL, "X", OPTION_REAL, AT(optimizer.beta1), 0, 0.9999999, "0.9", NULL,
     OPTION_FIXED, "of adam, adamw and lamb: decay of the first moment"},
    {"optimizer.beta2", NULL, "X", OPTION_REAL, AT(optimizer.beta2), 0, 0.9999999, "0.999", NULL,
     OPTION_FIXED, "of adam, adamw and lamb: decay of the second moment"},
    {"optimizer.alpha", NULL, "X", OPTION_REAL, AT(optimizer.alpha), 0, 0.9999999, "0.99", NULL,
     OPTION_FIXED, "of rmsprop: decay of the mean of squares"},
    {"optimizer.centered", NULL, NULL, OPTION_BOOL, AT(optimizer.centered), 0, 0, "false", NULL,
     OPTION_FIXED, "of rmsprop: the gradient's variance instead of its mean square"},
    {"optimizer.trust-coefficient", NULL, "X", OPTION_REAL, AT(optimizer.trust_coefficient), 1e-9,
     1e3, "0.001", NULL, OPTION_FIXED,
     "of lars: the length of a weight's step, as a share of the weight's own, where lr is 1"},
    {"optimizer.eps", NULL, "X", OPTION_REAL, AT(optimizer.eps), 0, 1, "1e-08", NULL, OPTION_FIXED,
     "of adam, adamw, lamb and rmsprop: added to the root of the second moment; of lars: to the "
     "norms that it divides by"},
    {"optimizer.weight-decay", NULL, "X", OPTION_REAL, AT(optimizer.weight_decay), 0, 1e6, "0",
     NULL, OPTION_FIXED,
     "added to the gradient (sgd, adam, rmsprop, lars), decoupled from it (adamw, muon), or added "
     "to the direction of the step (lamb)"},
    {"optimizer.decay-all", NULL, NULL, OPTION_BOOL, AT(optimizer.decay_all), 0, 0, "false", NULL,
     OPTION_FIXED, "weight decay also on biases and batch normalisation"},
    {"optimizer.clip-norm", NULL, "X", OPTION_REAL, AT(optimizer.clip_norm), 0, 1e15, "0", NULL,
     OPTION_FIXED, "largest L2 norm of the whole gradient; 0: no clipping"},
    {"optimizer.ema-decay", NULL, "X", OPTION_REAL, AT(optimizer.ema_decay), 0, 0.9999999, "0",
     NULL, OPTION_FIXED, "of a moving average of the weights, which is then evaluated; 0: none"},
    {"optimizer.groups", NULL, "TEXT", OPTION_TEXT, AT(groups), 0, 0, "", NULL,
     OPTION_FIXED | OPTION_FILE_ONLY,
     "parameters that are optimized otherwise, a group a line, as a block (groups: |): "
     "PATTERN[,PATTERN] key=value...; docs/optimizers.md"},
    {"muon.steps", NULL, "N", OPTION_INT, AT(optimizer.muon_steps), 1, 20, "5", NULL, OPTION_FIXED,
     "iterations that make an update orthogonal"},
    {"muon.rescale", NULL, NULL, OPTION_BOOL, AT(optimizer.muon_rescale), 0, 0, "false", NULL,
     OPTION_FIXED, "before each step a matrix is scaled to the norm sqrt(rows)"},
    {"lookahead.every", NULL, "STEPS", OPTION_INT, AT(optimizer.lookahead.every), 0, 1e9, "0", NULL,
     OPTION_FIXED,
     "Lookahead: slow weights follow the trained ones every so many steps, and these go back to "
     "them; they do once more in the schedule's last step; 0: none"},
    {"lookahead.decay", NULL, "X", OPTION_REAL, AT(optimizer.lookahead.decay), 0, 1, "0.5", NULL,
     OPTION_FIXED, "the share of the slow weights that stays each time"},
    {"lookahead.power", NULL, "X", OPTION_REAL, AT(optimizer.lookahead.power), 0, 100, "0", NULL,
     OPTION_FIXED,
     "that share is multiplied by the part of the run that is over to this power; 0: constant"},
    {"schedule.name", "schedule", "NAME", OPTION_CHOICE, AT(schedule.kind), 0, 0, "constant",
     schedules, OPTION_FIXED, "how the learning rate changes"},
    {"schedule.points", NULL, "LIST", OPTION_POINTS, AT(schedule), 0, 1e15, "", NULL, OPTION_FIXED,
     "step: where it falls, [30, 60]; piecewise: pairs [[0, 0], [5, 1], [24, 0]] of position and "
     "value, as a flag 0:0,5:1,24:0; one-cycle: where lr is reached and where lr-end is, or lr, "
     "lr-start again and lr-end; a position may be a fraction, 5/24"},
    {"schedule.unit", NULL, "NAME", OPTION_CHOICE, AT(schedule.unit), 0, 0, "epochs",
     schedule_unit_names, OPTION_FIXED,
     "what points, warmup and cycle are counted in; shares, 0 to 1, of the run's epochs fit a run "
     "of any "
     "length"},
    {"schedule.by", NULL, "WHAT", OPTION_CHOICE, AT(schedule.by), 0, 0, "step", bys, OPTION_FIXED,
     "step: each step has a learning rate of its own; epoch: all of an epoch have its first one's"},
    {"schedule.shape", NULL, "NAME", OPTION_CHOICE, AT(schedule.shape), 0, 0, "linear", shapes,
     OPTION_FIXED,
     "how piecewise and one-cycle go from point to point: straight, or half a cosine"},
    {"schedule.gamma", NULL, "X", OPTION_REAL, AT(schedule.gamma), 0, 1e6, "0.1", NULL,
     OPTION_FIXED, "step: the factor at each point; plateau: of each fall"},
    {"schedule.lr-start", NULL, "X", OPTION_REAL, AT(schedule.lr_start), 0, 1e6, "0", NULL,
     OPTION_FIXED, "one-cycle: the first learning rate"},
    {"schedule.lr-end", NULL, "X", OPTION_REAL, AT(schedule.lr_end), 0, 1e6, "0", NULL,
     OPTION_FIXED,
     "cosine and one-cycle: the last learning rate; sgdr: of each cycle; plateau: the lowest"},
    {"schedule.cycle", NULL, "X", OPTION_POSITION, AT(schedule.cycle), 0, 1e15, "0", NULL,
     OPTION_FIXED,
     "sgdr: length of the first cosine from lr to lr-end, in schedule.unit, from the end of the "
     "warm-up on (T_0 of PyTorch's CosineAnnealingWarmRestarts)"},
    {"schedule.cycle-factor", NULL, "N", OPTION_INT, AT(schedule.cycle_factor), 1, 1000, "1", NULL,
     OPTION_FIXED, "sgdr: each cycle is so many times as long as the one before (T_mult)"},
    {"schedule.momentum-low", NULL, "X", OPTION_REAL, AT(schedule.momentum_low), 0, 0.9999999, "0",
     NULL, OPTION_FIXED,
     "one-cycle: momentum, or beta1 (adam, adamw, lamb), where the learning rate is highest, on "
     "the way from its own value and back; 0: it stays"},
    {"schedule.patience", NULL, "N", OPTION_INT, AT(schedule.patience), 0, 1e9, "10", NULL,
     OPTION_FIXED, "plateau: evaluations that may be no better before the learning rate falls"},
    {"schedule.cooldown", NULL, "N", OPTION_INT, AT(schedule.cooldown), 0, 1e9, "0", NULL,
     OPTION_FIXED, "plateau: evaluations after a fall that do not count"},
    {"schedule.threshold", NULL, "X", OPTION_REAL, AT(schedule.threshold), 0, 1e6, "0.0001", NULL,
     OPTION_FIXED, "plateau: by how much an evaluation must be better to be better"},
    {"schedule.threshold-mode", NULL, "NAME", OPTION_CHOICE, AT(schedule.threshold_mode), 0, 0,
     "relative", threshold_modes, OPTION_FIXED,
     "plateau: threshold is a share of the best, or not"},
    {"schedule.total-epochs", NULL, "X", OPTION_REAL, AT(schedule.total_epochs), 0, 1e9, "0", NULL,
     0,
     "what shares are of, and where cosine reaches lr-end; 0: the epochs that the run began with. "
     "To resume with more epochs, name it: the old value keeps the schedule, another one stretches "
     "it from there on"},
    {"schedule.warmup", NULL, "X", OPTION_POSITION, AT(schedule.warmup), 0, 1e15, "0", NULL,
     OPTION_FIXED, "warmup-epochs, but in schedule.unit"},
    {"schedule.warmup-epochs", NULL, "X", OPTION_REAL, AT(schedule.warmup_epochs), 0, 1e9, "0",
     NULL, OPTION_FIXED,
     "the learning rate, of any schedule, rises linearly so long; 0: no warm-up"},
    {"schedule.warmup-start", NULL, "X", OPTION_REAL, AT(schedule.warmup_start), 0, 1, "0", NULL,
     OPTION_FIXED, "the share of it at the first step"},
    {"bad-steps.policy", "bad-steps", "NAME", OPTION_CHOICE, AT(bad_steps.policy), 0, 0, "stop",
     bad_step_policies, 0,
     "what follows a step whose loss, gradients or statistics are NaN or out of range: stop: the "
     "run ends, with code 8; skip: its update is left out; rollback: the run goes on from its "
     "newest good checkpoint, or its beginning, with a lower learning rate"},
    {"bad-steps.in-a-row", NULL, "N", OPTION_INT, AT(bad_steps.in_a_row), 1, 1e9, "5", NULL, 0,
     "skip: after so many skipped steps in a row one more ends the run"},
    {"bad-steps.skipped", NULL, "N", OPTION_INT, AT(bad_steps.skipped), 1, 1e15, "100", NULL, 0,
     "skip: so does one more than so many in all"},
    {"bad-steps.rollbacks", NULL, "N", OPTION_INT, AT(bad_steps.rollbacks), 1, 1e9, "3", NULL, 0,
     "rollback: after so many a bad step ends the run"},
    {"bad-steps.lr-factor", NULL, "X", OPTION_REAL, AT(bad_steps.lr_factor), 1e-9, 1, "0.5", NULL,
     0, "rollback: what every learning rate is multiplied by each time, for the rest of the run"},

    /* where and how it runs */
    {"device", NULL, "NAME", OPTION_CHOICE, AT(device), 0, 0, "auto", devices, 0,
     "auto says what it took; a named one is used or is an error; ref: plain loops, slow"},
    {"precision", NULL, "NAME", OPTION_CHOICE, AT(precision), 0, 0, "fp32", precisions, 0,
     "of the arithmetic: fp32; tf32 (on a GPU): convolutions and products round their factors; "
     "bf16 (on a GPU, or a CPU with AVX512-BF16): activations too, while weights, statistics and "
     "losses are kept in fp32"},
    {"autotune", NULL, NULL, OPTION_BOOL, AT(autotune), 0, 0, "false", NULL, 0,
     "on a GPU: choose engines by timing instead of by rule, once, as a fresh run begins; costs a "
     "start longer by some seconds to minutes, and runs have the same bits only with the same "
     "choices: they are kept in autotune.txt and in each checkpoint, which decides at resume"},
    {"threads", NULL, "N", OPTION_AUTO, AT(threads), 1, 1024, "auto", NULL, OPTION_UNSTORED,
     "compute threads a rank; auto: cores of the host shared out to its ranks; on a GPU as many "
     "streams, up to 4 and to 512 images at once"},
    {"reduction", NULL, "NAME", OPTION_CHOICE, AT(reduction), 0, 0, "exact", reductions,
     OPTION_FIXED,
     "exact: the same bits at any number of ranks; exact32: likewise, in half the bytes, rounded "
     "to "
     "2^-27 of each parameter's largest gradient; native: sums in fp32"},
    {"reduction-type", NULL, "NAME", OPTION_CHOICE, AT(reduction_type), 0, 0, "fp32",
     reduction_types, OPTION_FIXED,
     "what native sums travel as between GPUs; bf16 halves the bytes, and rounds each rank's sum, "
     "then each addition over ranks, to 8 bits of mantissa: by up to 0.2 % every time"},
    {"bucket-bytes", NULL, "N", OPTION_INT, AT(bucket_bytes), 4096, GIGA, "4194304", NULL, 0,
     "size of one all-reduce message"},
    {"max-time", NULL, "DURATION", OPTION_DURATION, AT(max_time), 1, 864e6, "none", NULL,
     OPTION_UNSTORED,
     "leave, after a checkpoint and with code 75 (start me again), before this process is so old; "
     "early enough that the checkpoint, and an evaluation that is due, fit in: 3h50m, 90s, or as "
     "Slurm writes it, 1-12:00:00"},
    {"deadline", NULL, "SECONDS", OPTION_REAL, AT(deadline), 0.1, 1e6, "300", NULL, 0,
     "longest wait for other ranks before the run ends with a message (disk and loader: half)"},
    {"heartbeat", NULL, "SECONDS", OPTION_REAL, AT(heartbeat), 0.1, 600, "10", NULL, 0,
     "how often rank 0 writes a new number into the run directory's file owner: a run on another "
     "host, where locks do not tell, takes the directory once four of these have failed to come"},
    {"elastic", NULL, NULL, OPTION_BOOL, AT(elastic), 0, 0, "false", NULL, OPTION_UNSTORED,
     "where a rank dies, the other ranks go on without it, with the same bits "
     "(docs/reliability.md); wants Open MPI 5 and mpirun --with-ft ulfm"},

    /* what it leaves */
    {"out", NULL, "DIR", OPTION_PATH, AT(out), 0, 0, "", NULL, OPTION_UNSTORED,
     "run directory; without it runs/CONFIGNAME. Parts of a time, as in runs/%Y%m%d-%H%M%S, are of "
     "the start, by rank 0's clock; a % is %%"},
    {"runs-dir", NULL, "DIR", OPTION_PATH, AT(runs_dir), 0, 0, "", NULL, OPTION_UNSTORED,
     "what a relative --out is below, and in place of runs without --out; LOCKSTEP_RUNS_DIR is "
     "where "
     "lockstep runs looks as well"},
    {"checkpoint-every", NULL, "STEPS", OPTION_EVERY, AT(checkpoint_every), 0, 1e15, "0", NULL, 0,
     "steps between checkpoints; 0: at the ends of epochs alone; auto: by the clock, as often as "
     "is best by what one costs and --mtbf, and for at most 1 % of the time"},
    {"mtbf", NULL, "DURATION", OPTION_DURATION, AT(mtbf), 1, 864e6, "1d", NULL, 0,
     "checkpoint-every auto: the mean time between failures of the run, whichever host they are "
     "of: that of one host, divided by their number"},
    {"drift-every", NULL, "STEPS", OPTION_INT, AT(drift_every), 0, 1e15, "100", NULL, 0,
     "steps between comparisons, by hashes, of all that every rank has a copy of: weights, "
     "optimizer state, averages, statistics, the run's state; also before each evaluation, "
     "checkpoint and result, with 0 there alone"},
    {"straggler.factor", NULL, "X", OPTION_REAL, AT(straggler_factor), 0, 1e6, "1.3", NULL, 0,
     "a rank on which a lane takes X times as long as on the median rank is named as slow; 0: "
     "none"},
    {"straggler.steps", NULL, "STEPS", OPTION_INT, AT(straggler_steps), 1, 1e6, "50", NULL, 0,
     "over so many steps"},
    {"checkpoint-local", NULL, "DIR", OPTION_PATH, AT(checkpoint_local), 0, 0, "", NULL,
     OPTION_UNSTORED,
     "folder on rank 0's node for the checkpoints between ends of epochs: they outlive a crash, "
     "not "
     "the node; a job that starts again elsewhere goes on from the run directory's last one"},
    {"keep", NULL, "N", OPTION_INT, AT(keep), 1, 1e6, "3", NULL, 0,
     "the newest so many checkpoints are kept"},
    {"keep-best", NULL, "N", OPTION_INT, AT(keep_best), 1, KEEP_BEST_MAX, "1", NULL, 0,
     "and so are those of the best so many evaluations, by eval.monitor; best.h5 names the first"},
    {"resume", NULL, "WHAT", OPTION_PATH, AT(resume), 0, 0, "auto", NULL, OPTION_UNSTORED,
     "auto: go on from the newest good checkpoint of the run directory; none: only start anew; or "
     "a checkpoint file"},
    {"init-from", NULL, "FILE", OPTION_PATH, AT(init_from), 0, 0, "", NULL, OPTION_FIXED,
     "begin with weights and running statistics of this checkpoint (its moving average, where it "
     "has one), whatever run it is of: layers go by name, and the last one with weights begins "
     "anew where its shape is another, as for other classes; optimizer, schedule and order begin "
     "anew as well"},
    {"reset", NULL, NULL, OPTION_ACTION, AT(reset), 0, 0, "false", NULL, OPTION_UNSTORED,
     "remove the run directory's checkpoints and start over"},
    {"eval.every", NULL, "EPOCHS", OPTION_INT, AT(eval_every), 1, 1e9, "1", NULL, 0,
     "epochs between evaluations"},
    {"eval.batch", NULL, "N", OPTION_INT, AT(eval_batch), 1, 10000, "100", NULL, OPTION_FIXED,
     "images of one evaluation batch; a GPU takes five such batches as one"},
    {"eval.tta", NULL, "NAME", OPTION_CHOICE, AT(tta), 0, 0, "none", ttas, 0,
     "test-time augmentation, of the evaluation at a run's end alone: means of the outputs for "
     "each "
     "image and its mirror image; shifts: half that, half the same of it moved by one pixel, up "
     "left and down right"},
    {"eval.monitor", NULL, "NAME", OPTION_CHOICE, AT(monitor), 0, 0, "accuracy", monitors,
     OPTION_FIXED,
     "what makes an evaluation better, for best.h5, eval.patience and plateau; of the held-out "
     "records where there are any, else of the test set"},
    {"eval.patience", NULL, "N", OPTION_INT, AT(patience), 0, 1e9, "0", NULL, 0,
     "evaluations without a better one after which the run ends; 0: never"},
    {"target", NULL, "ACCURACY", OPTION_REAL, AT(target), 0, 1, "0", NULL, 0,
     "end the run with the first evaluation that reaches this share of right answers (0.94), of "
     "the held-out records where there are any, and state the time it took; 0: none"},
    {"log-every", NULL, "STEPS", OPTION_INT, AT(log_every), 1, 1e15, "10", NULL, 0,
     "steps between the lines of metrics.jsonl"},
    {"progress", NULL, "HOW", OPTION_CHOICE, AT(progress), 0, 0, "auto", progresses,
     OPTION_UNSTORED, "auto: a bar on a terminal, lines elsewhere and under a launcher"},
    {"progress-width", NULL, "COLUMNS", OPTION_AUTO, AT(progress_width), 20, 10000, "auto", NULL,
     OPTION_UNSTORED, "of the bar; auto: as wide as the terminal"},
    {"quiet", NULL, NULL, OPTION_BOOL, AT(quiet), 0, 0, "false", NULL, OPTION_UNSTORED,
     "print warnings, errors and the result alone"},
    {"tensorboard.events", NULL, NULL, OPTION_BOOL, AT(tensorboard), 0, 0, "true", NULL,
     OPTION_UNSTORED, "write the metrics to the folder tensorboard of the run directory as well"},
    {"tensorboard.images", NULL, "N", OPTION_INT, AT(tensorboard_images), 0, 20, "20", NULL,
     OPTION_UNSTORED,
     "confusion matrix and wrong examples of so many of the run's evaluations, evenly apart, go to "
     "the folder tensorboard as pictures, drawn by a process beside training; 0: none"},
    {"tensorboard.histograms", NULL, "STEPS", OPTION_INT, AT(tensorboard_histograms), 0, 1e15, "0",
     NULL, OPTION_UNSTORED,
     "every so many steps, a multiple of log-every, histograms of each parameter and of its "
     "gradient, summed over all lanes and before clipping, go to the folder tensorboard; 0: none"},
    {"report", NULL, NULL, OPTION_BOOL, AT(report), 0, 0, "true", NULL, OPTION_UNSTORED,
     "when the run has ended, write its page and pictures to the folder report of its directory; "
     "takes two seconds at most"},

    {"trace", NULL, "STEPS[:FIRST]", OPTION_TRACE, AT(trace), 0, 0, "none", NULL, OPTION_UNSTORED,
     "write who did what when in so many steps, from step FIRST on, counted from the run's "
     "beginning "
     "(else from the sixth that this process computes), on every rank, to trace.json in the run "
     "directory, for ui.perfetto.dev or chrome://tracing"},

    /* tests of recovery, and questions */
    {"crash-at", NULL, "STEP[:RANK[:HOW]]", OPTION_CRASH, AT(crash), 0, 0, "none", NULL,
     OPTION_UNSTORED,
     "break down before that step, once in a run directory: by kill, segv, abort, exit, hang "
     "(before the step; in a forward pass: hang-forward; before a sum over ranks: hang-bucket) or "
     "nan, with a sum over ranks left out (skip-bucket) or of another size (short-bucket), with "
     "slow lanes from then on (slow), with a "
     "bit flipped in its copy of the weights (flip), the optimizer's state "
     "(flip-slot), running statistics (flip-running), moving average (flip-ema), the run's state "
     "(flip-state) or the schedule (flip-schedule), or in the number of an image to come "
     "(flip-sample); the last rank by kill unless named"},
    {"crash-iteration", NULL, "STEP", OPTION_CRASH_ITERATION, AT(crash), 0, 0, NULL, NULL,
     OPTION_UNSTORED | OPTION_ALIAS, "the same as crash-at STEP:last:kill"},
    {"describe", NULL, NULL, OPTION_ACTION, AT(describe), 0, 0, "false", NULL, OPTION_UNSTORED,
     "print the network, one layer a line with shape and cost, and exit"},
    {"json", NULL, NULL, OPTION_ACTION, AT(json), 0, 0, "false", NULL, OPTION_UNSTORED,
     "with --describe: as one JSON object, with every argument and parameter; of bench likewise"},
    {"dump-config", NULL, NULL, OPTION_ACTION, AT(dump_config), 0, 0, "false", NULL,
     OPTION_UNSTORED, "print all options as YAML and exit"},
    {"help", NULL, NULL, OPTION_ACTION, AT(help), 0, 0, "false", NULL, OPTION_UNSTORED,
     "print this and exit"},
    {0},
};

_Static_assert(sizeof config_options / sizeof config_options[0] < OPTIONS_MAX, "raise OPTIONS_MAX");

const char *config_tta_name(Tta tta) {
    return ttas[tta];
}

bool config_tta_find(const char *name, Tta *tta) {
    for (int i = 0; ttas[i] != NULL; i++) {
        if (strcmp(ttas[i], name) == 0) {
            *tta = (Tta)i;
            return true;
        }
    }
    return false;
}

const Option *option_find(const char *name, bool flags) {
    for (const Option *option = config_options; option->key; option++) {
        if (strcmp(option->key, name) == 0)
            return option;
        if (flags && option->short_flag && strcmp(option->short_flag, name) == 0)
            return option;
    }
    return NULL;
}

const char *option_nearest_flag(const char *name) {
    const char *names[2 * OPTIONS_MAX + 1];
    int n = 0;
    for (const Option *option = config_options; option->key; option++) {
        names[n++] = option->key;
        if (option->short_flag)
            names[n++] = option->short_flag;
    }
    names[n] = NULL;
    return nearest_name(name, names);
}

bool option_nearest_key(const char *name, char near[OPTION_KEY_MAX]) {
    char groups[OPTIONS_MAX][OPTION_KEY_MAX];
    const char *names[2 * OPTIONS_MAX + 1];
    const Option *other = option_find(name, true);
    int n = 0, n_groups = 0;
    for (const Option *option = config_options; option->key; option++) {
        int length = (int)strcspn(option->key, ".");
        if (option->type == OPTION_ACTION)
            continue;
        names[n++] = option->key;
        if (option->key[length] == '.') {
            snprintf(groups[n_groups], OPTION_KEY_MAX, "%.*s", length, option->key);
            names[n++] = groups[n_groups++];
        }
    }
    names[n] = NULL;
    const char *found = other ? other->key : nearest_name(name, names);
    if (found)
        snprintf(near, OPTION_KEY_MAX, "%s", found);
    return found != NULL;
}

bool option_is_group(const char *key) {
    size_t length = strlen(key);
    for (const Option *option = config_options; option->key; option++) {
        if (strncmp(option->key, key, length) == 0 && option->key[length] == '.')
            return true;
    }
    return false;
}

bool option_takes_list(const Option *option) {
    return option->type == OPTION_CHANNELS || option->type == OPTION_BYTES ||
           option->type == OPTION_REALS || option->type == OPTION_RANGE ||
           option->type == OPTION_POINTS;
}

void option_variable(const Option *option, char name[OPTION_KEY_MAX]) {
    static const char prefix[] = "LOCKSTEP_";
    size_t at = sizeof prefix - 1;
    memcpy(name, prefix, at);
    for (const char *c = option->key; *c != '\0' && at < OPTION_KEY_MAX - 1; c++)
        name[at++] = isalnum((unsigned char)*c) ? (char)toupper((unsigned char)*c) : '_';
    name[at] = '\0';
}
