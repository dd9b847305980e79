/* cifar10_format: the layout of CIFAR-10's binary files, which synthetic records have as well.
 * Private to src/data and its tests: all else asks the Dataset. */
#ifndef LOCKSTEP_DATA_CIFAR10_FORMAT_H
#define LOCKSTEP_DATA_CIFAR10_FORMAT_H

enum {
    CIFAR10_CLASSES = 10,
    CIFAR10_CHANNELS = 3, /* planes R, G, B */
    CIFAR10_SIDE = 32,
    CIFAR10_PIXELS = CIFAR10_CHANNELS * CIFAR10_SIDE * CIFAR10_SIDE,
    CIFAR10_RECORD = 1 + CIFAR10_PIXELS, /* bytes: the label, 0 to 9, then the pixels */
    CIFAR10_TRAIN = 50000,
    CIFAR10_TEST = 10000
};

#endif
