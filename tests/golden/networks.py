"""The networks of recipes, written by hand in PyTorch from their sources, without model text: what make_golden.py holds
lockstep's to.

Each is a function of a Draw, which hands out parameters in the order in which they are used, and a batch of images
N, C, H, W; it gives logits.
"""
import math

import torch
import torch.nn.functional as F


class Draw:
    """Parameters and keep-masks in order of use, and the batch statistics that batch norm leaves."""

    def __init__(self, parameters, masks, training, running=None):
        self.parameters, self.masks = iter(parameters), iter(masks)
        self.training, self.running, self.stats = training, iter(running or []), []

    def param(self):
        return next(self.parameters)

    def drop(self, x, rate):
        """Dropout, or stochastic depth: the mask is of elements or of images."""
        mask = next(self.masks)
        if not self.training:
            return x
        return x * mask(x.shape) / (1 - rate)

    def conv(self, x, stride=1, pad=0, bias=False, groups=1):
        weight = self.param()
        return F.conv2d(x, weight, self.param() if bias else None, stride, pad, 1, groups)

    def linear(self, x, bias=True):
        """Over the last dimension; the weight may have the two empty dimensions of a 1 x 1 convolution."""
        weight = self.param().flatten(1)
        return F.linear(x, weight, self.param() if bias else None)

    def layer_norm(self, x):
        weight, bias = self.param(), self.param()
        return F.layer_norm(x, x.shape[-1:], weight, bias, 1e-5)

    def batch_norm(self, x, eps=1e-5, scale=True):
        weight = self.param() if scale else None
        bias = self.param()
        if self.training:
            count = x.numel() / x.shape[1]
            self.stats.append(x.mean((0, 2, 3)).detach())
            self.stats.append((x.var((0, 2, 3), unbiased=False) * (count / (count - 1))).detach())
            return F.batch_norm(x, None, None, weight, bias, True, 0.0, eps)
        mean, var = next(self.running), next(self.running)
        return F.batch_norm(x, mean, var, weight, bias, False, 0.0, eps)


def heads_of(qkv, heads):
    """q, k and v as N, heads, L, D from N, L, 3 heads D."""
    n, length, channels = qkv.shape
    return qkv.reshape(n, length, 3, heads, channels // (3 * heads)).permute(2, 0, 3, 1, 4)


def vit(net, x):
    """catid/cifar10deepspeed@8e77fe2: lucidrains' ViT for small data sets. Shifted patches (Lee et al. 2021), a class token,
    attention with a learned temperature that masks its diagonal."""
    moved = [F.pad(x, pad) for pad in ((1, -1, 0, 0), (-1, 1, 0, 0), (0, 0, 1, -1), (0, 0, -1, 1))]
    x = torch.cat([x, *moved], 1)
    n, channels, height, width = x.shape
    x = x.reshape(n, channels, height // 4, 4, width // 4, 4).permute(0, 2, 4, 3, 5, 1)
    x = x.reshape(n, height * width // 16, 16 * channels)
    x = net.linear(net.layer_norm(x))
    x = torch.cat([net.param().reshape(1, 1, -1).expand(n, 1, -1), x], 1)
    x = net.drop(x + net.param(), 0.1)
    for _ in range(4):
        q, k, v = heads_of(net.linear(net.layer_norm(x), bias=False), 6)
        scores = q @ k.transpose(-1, -2) * net.param().exp()
        scores = scores.masked_fill(torch.eye(scores.shape[-1], dtype=torch.bool), -torch.finfo(scores.dtype).max)
        y = (scores.softmax(-1) @ v).transpose(1, 2).flatten(2)
        x = net.drop(net.linear(y), 0.1) + x
        y = net.drop(F.gelu(net.linear(net.layer_norm(x))), 0.1)
        x = net.drop(net.linear(y), 0.1) + x
    return net.linear(net.layer_norm(x[:, 0]))


def cct2(net, x):
    """CCT-2/3x2 of SHI-Labs/Compact-Transformers (Hassani et al. 2021): a convolutional tokenizer, two blocks (whose second
    half goes on from the normalised sum, as there), sequence pooling. Without the source's dropout on attention weights."""
    for _ in range(2):
        x = F.max_pool2d(F.relu(net.conv(x, pad=1)), 3, 2, 1)
    x = x.flatten(2).transpose(1, 2) + net.param()
    for block in range(2):
        q, k, v = heads_of(net.linear(net.layer_norm(x), bias=False), 2)
        scores = (q @ k.transpose(-1, -2) / math.sqrt(q.shape[-1])).softmax(-1)
        y = net.linear((scores @ v).transpose(1, 2).flatten(2))
        x = x + (net.drop(y, 0.1) if block == 1 else y)
        x = net.layer_norm(x)
        y = net.linear(F.gelu(net.linear(x)))
        x = x + (net.drop(y, 0.1) if block == 1 else y)
    x = net.layer_norm(x)
    share = net.linear(x).softmax(1)
    return net.linear((share * x).sum(1))


def resnet44(net, x):
    """ResNet-44 of TensorFlow's cifar10_estimator (tutorials/image/cifar10_estimator of tensorflow/models): He et al. 2015
    with shortcuts of option A."""
    x = F.relu(net.batch_norm(net.conv(x, pad=1)))
    for channels in (16, 32, 64):
        for block in range(7):
            stride = 2 if block == 0 and channels > 16 else 1
            y = F.relu(net.batch_norm(net.conv(x, stride, 1)))
            y = net.batch_norm(net.conv(y, 1, 1))
            if stride == 2:
                more = (channels - x.shape[1]) // 2
                x = F.pad(F.avg_pool2d(x, 2), (0, 0, 0, 0, more, more))
            x = F.relu(y + x)
    return net.linear(x.mean((2, 3)))


def airbench94(net, x):
    """airbench94 of KellerJordan/cifar10-airbench, in its Muon version."""
    def norm(y):
        return F.gelu(net.batch_norm(y, 1e-12, scale=False))
    x = F.gelu(net.conv(x, bias=True))
    for _ in range(3):
        x = norm(F.max_pool2d(net.conv(x, pad=1), 2))
        x = norm(net.conv(x, pad=1))
    x = F.max_pool2d(x, 3).flatten(1)
    return net.linear(x, bias=False) / x.shape[1]


def resnet20(net, x, shortcut=None):
    """ResNet-20 of He et al. 2015 (akamaster/pytorch_resnet_cifar10): option A takes every second pixel and adds channels of
    zeros; `shortcut` is option B's."""
    x = F.relu(net.batch_norm(net.conv(x, pad=1)))
    for channels in (16, 32, 64):
        for block in range(3):
            stride = 2 if block == 0 and channels > 16 else 1
            y = F.relu(net.batch_norm(net.conv(x, stride, 1)))
            y = net.batch_norm(net.conv(y, 1, 1))
            if stride == 2 and shortcut:
                x = shortcut(x)
            elif stride == 2:
                half = channels // 4
                x = F.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, half, half))
            x = F.relu(y + x)
    return net.linear(x.mean((2, 3)))


def resnet20_b(net, x):
    """The same with shortcuts of option B: 1 x 1 convolutions with batch norm."""
    return resnet20(net, x, lambda y: net.batch_norm(net.conv(y, 2)))


def mobilenetv2(net, x):
    """MobileNetV2 (Sandler et al. 2018) of kuangliu/pytorch-cifar: ReLU, and 1 x 1 convolutions as shortcuts of blocks that
    change the number of channels alone."""
    def norm(y):
        return F.relu(net.batch_norm(y))
    x = norm(net.conv(x, pad=1))
    rows = ((1, 16, 1, 1), (6, 24, 2, 1), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1))
    for factor, channels, blocks, first_stride in rows:
        for block in range(blocks):
            stride = first_stride if block == 0 else 1
            inner = factor * x.shape[1]
            y = norm(net.conv(x))
            y = norm(net.conv(y, stride, 1, groups=inner))
            y = net.batch_norm(net.conv(y))
            if stride == 1 and x.shape[1] != channels:
                x = net.batch_norm(net.conv(x))
            x = y if stride == 2 else y + x
    return net.linear(norm(net.conv(x)).mean((2, 3)))


def densenet_bc_100_12(net, x):
    """DenseNet-BC-100, growth 12 (Huang et al. 2016), of andreasveit/densenet-pytorch: 3 blocks of 16 bottlenecks, and
    transitions that halve channels and map."""
    def norm(y):
        return F.relu(net.batch_norm(y))
    x = net.conv(x, pad=1)
    for block in range(3):
        for _ in range(16):
            x = torch.cat([x, net.conv(norm(net.conv(norm(x))), pad=1)], 1)
        x = F.avg_pool2d(net.conv(norm(x)), 2) if block < 2 else norm(x)
    return net.linear(x.mean((2, 3)))


NETWORKS = {
    "vit": vit,
    "cct2": cct2,
    "resnet44": resnet44,
    "airbench94": airbench94,
    "zoo/resnet20": resnet20,
    "zoo/resnet20-b": resnet20_b,
    "zoo/mobilenetv2": mobilenetv2,
    "zoo/densenet-bc-100-12": densenet_bc_100_12,
}
