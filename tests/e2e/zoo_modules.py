"""The networks of configs/zoo as PyTorch modules, written from their papers and sources, whose parts are named and registered
as there: what scripts/from_pytorch.py and to_pytorch.py are held to."""
import torch
import torch.nn.functional as F
from torch import nn


def conv(inputs, outputs, kernel=3, stride=1, bias=False, groups=1):
    return nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=bias)


def shortcut_of(inputs, outputs, stride):
    return nn.Sequential(conv(inputs, outputs, 1, stride), nn.BatchNorm2d(outputs))


class Block(nn.Module):
    """Of ResNets: two convolutions, and a shortcut of 1 x 1 convolutions (option B) or of zeros (option A)."""

    def __init__(self, inputs, outputs, stride, zeros):
        super().__init__()
        self.conv1, self.bn1 = conv(inputs, outputs, 3, stride), nn.BatchNorm2d(outputs)
        self.conv2, self.bn2 = conv(outputs, outputs), nn.BatchNorm2d(outputs)
        self.changes, self.more = stride != 1 or inputs != outputs, (outputs - inputs) // 2
        self.shortcut = shortcut_of(inputs, outputs, stride) if self.changes and not zeros else nn.Sequential()
        self.zeros = zeros

    def forward(self, x):
        y = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        if self.changes and self.zeros:
            return F.relu(y + F.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, self.more, self.more)))
        return F.relu(y + self.shortcut(x))


class ResNet(nn.Module):
    def __init__(self, widths, blocks, zeros=False):
        super().__init__()
        self.conv1, self.bn1 = conv(3, widths[0]), nn.BatchNorm2d(widths[0])
        inputs, self.stages = widths[0], []
        for i, width in enumerate(widths, 1):
            stage = nn.Sequential(*(Block(inputs if b == 0 else width, width, 2 if b == 0 and i > 1 else 1, zeros)
                                    for b in range(blocks)))
            setattr(self, f"layer{i}", stage)
            inputs = width
        self.linear = nn.Linear(inputs, 10)
        self.count = len(widths)

    def forward(self, x):
        x = F.relu(self.bn1(self.conv1(x)))
        for i in range(self.count):
            x = getattr(self, f"layer{i + 1}")(x)
        return self.linear(x.mean((2, 3)))


class WideBlock(nn.Module):
    def __init__(self, inputs, outputs, stride):
        super().__init__()
        self.bn1, self.conv1 = nn.BatchNorm2d(inputs), conv(inputs, outputs, 3, stride)
        self.bn2, self.conv2 = nn.BatchNorm2d(outputs), conv(outputs, outputs)
        self.convShortcut = conv(inputs, outputs, 1, stride) if inputs != outputs else None

    def forward(self, x):
        y = F.relu(self.bn1(x))
        kept = self.convShortcut(y) if self.convShortcut else x
        return kept + self.conv2(F.relu(self.bn2(self.conv1(y))))


class WideResNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = conv(3, 16)
        for i, (inputs, outputs) in enumerate(((16, 160), (160, 320), (320, 640)), 1):
            block = nn.Module()
            block.layer = nn.Sequential(*(WideBlock(inputs if b == 0 else outputs, outputs, 2 if b == 0 and i > 1 else 1)
                                          for b in range(4)))
            setattr(self, f"block{i}", block)
        self.bn1, self.fc = nn.BatchNorm2d(640), nn.Linear(640, 10)

    def forward(self, x):
        x = self.block3.layer(self.block2.layer(self.block1.layer(self.conv1(x))))
        return self.fc(F.relu(self.bn1(x)).mean((2, 3)))


class VGG(nn.Module):
    def __init__(self):
        super().__init__()
        parts, inputs = [], 3
        for width, count in ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3)):
            for _ in range(count):
                parts += [conv(inputs, width, bias=True), nn.BatchNorm2d(width), nn.ReLU()]
                inputs = width
            parts.append(nn.MaxPool2d(2))
        self.features, self.classifier = nn.Sequential(*parts), nn.Linear(512, 10)

    def forward(self, x):
        return self.classifier(self.features(x).flatten(1))


class Inverted(nn.Module):
    def __init__(self, inputs, outputs, factor, stride):
        super().__init__()
        inner = factor * inputs
        self.conv1, self.bn1 = conv(inputs, inner, 1), nn.BatchNorm2d(inner)
        self.conv2, self.bn2 = conv(inner, inner, 3, stride, groups=inner), nn.BatchNorm2d(inner)
        self.conv3, self.bn3 = conv(inner, outputs, 1), nn.BatchNorm2d(outputs)
        self.shortcut = shortcut_of(inputs, outputs, 1) if stride == 1 and inputs != outputs else nn.Sequential()
        self.adds = stride == 1

    def forward(self, x):
        y = F.relu(self.bn1(self.conv1(x)))
        y = self.bn3(self.conv3(F.relu(self.bn2(self.conv2(y)))))
        return y + self.shortcut(x) if self.adds else y


class MobileNetV2(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1, self.bn1 = conv(3, 32), nn.BatchNorm2d(32)
        blocks, inputs = [], 32
        for factor, width, count, stride in ((1, 16, 1, 1), (6, 24, 2, 1), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1),
                                             (6, 160, 3, 2), (6, 320, 1, 1)):
            for b in range(count):
                blocks.append(Inverted(inputs, width, factor, stride if b == 0 else 1))
                inputs = width
        self.layers = nn.Sequential(*blocks)
        self.conv2, self.bn2 = conv(320, 1280, 1), nn.BatchNorm2d(1280)
        self.linear = nn.Linear(1280, 10)

    def forward(self, x):
        x = self.layers(F.relu(self.bn1(self.conv1(x))))
        return self.linear(F.relu(self.bn2(self.conv2(x))).mean((2, 3)))


class Bottleneck(nn.Module):
    def __init__(self, inputs, growth):
        super().__init__()
        self.bn1, self.conv1 = nn.BatchNorm2d(inputs), conv(inputs, 4 * growth, 1)
        self.bn2, self.conv2 = nn.BatchNorm2d(4 * growth), conv(4 * growth, growth)

    def forward(self, x):
        y = self.conv1(F.relu(self.bn1(x)))
        return torch.cat([x, self.conv2(F.relu(self.bn2(y)))], 1)


class Transition(nn.Module):
    def __init__(self, inputs, outputs):
        super().__init__()
        self.bn1, self.conv1 = nn.BatchNorm2d(inputs), conv(inputs, outputs, 1)

    def forward(self, x):
        return F.avg_pool2d(self.conv1(F.relu(self.bn1(x))), 2)


class DenseNet(nn.Module):
    def __init__(self, growth=12, blocks=16):
        super().__init__()
        width = 2 * growth
        self.conv1 = conv(3, width)
        for i in (1, 2, 3):
            block = nn.Module()
            block.layer = nn.Sequential(*(Bottleneck(width + b * growth, growth) for b in range(blocks)))
            setattr(self, f"block{i}", block)
            width += blocks * growth
            if i < 3:
                setattr(self, f"trans{i}", Transition(width, width // 2))
                width //= 2
        self.bn1, self.fc = nn.BatchNorm2d(width), nn.Linear(width, 10)

    def forward(self, x):
        x = self.trans1(self.block1.layer(self.conv1(x)))
        x = self.block3.layer(self.trans2(self.block2.layer(x)))
        return self.fc(F.relu(self.bn1(x)).mean((2, 3)))


class Plus(nn.Module):
    def __init__(self, fn):
        super().__init__()
        self.fn = fn

    def forward(self, x):
        return self.fn(x) + x


def convmixer(dim=256, depth=8):
    def behind(*parts):
        return nn.Sequential(*parts, nn.GELU(), nn.BatchNorm2d(dim))
    blocks = []
    for _ in range(depth):
        mixed = Plus(behind(conv(dim, dim, 5, bias=True, groups=dim)))
        blocks.append(nn.Sequential(mixed, *behind(conv(dim, dim, 1, bias=True))))
    stem = [nn.Conv2d(3, dim, 2, 2), nn.GELU(), nn.BatchNorm2d(dim)]
    return nn.Sequential(*stem, *blocks, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(dim, 10))


class Gated(nn.Module):
    def __init__(self, inputs, outputs, stride):
        super().__init__()
        self.bn1, self.conv1 = nn.BatchNorm2d(inputs), conv(inputs, outputs, 3, stride)
        self.bn2, self.conv2 = nn.BatchNorm2d(outputs), conv(outputs, outputs)
        if stride != 1 or inputs != outputs:
            self.shortcut = nn.Sequential(conv(inputs, outputs, 1, stride))
        self.fc1, self.fc2 = nn.Conv2d(outputs, outputs // 16, 1), nn.Conv2d(outputs // 16, outputs, 1)

    def forward(self, x):
        y = F.relu(self.bn1(x))
        kept = self.shortcut(y) if hasattr(self, "shortcut") else x
        y = self.conv2(F.relu(self.bn2(self.conv1(y))))
        gate = torch.sigmoid(self.fc2(F.relu(self.fc1(y.mean((2, 3), keepdim=True)))))
        return y * gate + kept


class SENet(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1, self.bn1 = conv(3, 64), nn.BatchNorm2d(64)
        inputs = 64
        for i, width in enumerate((64, 128, 256, 512), 1):
            setattr(self, f"layer{i}", nn.Sequential(Gated(inputs, width, 1 if i == 1 else 2), Gated(width, width, 1)))
            inputs = width
        self.linear = nn.Linear(512, 10)

    def forward(self, x):
        x = self.layer2(self.layer1(F.relu(self.bn1(self.conv1(x)))))
        return self.linear(self.layer4(self.layer3(x)).mean((2, 3)))


MODULES = {
    "resnet18": lambda: ResNet((64, 128, 256, 512), 2),
    "resnet20": lambda: ResNet((16, 32, 64), 3, zeros=True),
    "resnet20-b": lambda: ResNet((16, 32, 64), 3),
    "resnet56": lambda: ResNet((16, 32, 64), 9, zeros=True),
    "wrn-28-10": WideResNet,
    "vgg16-bn": VGG,
    "mobilenetv2": MobileNetV2,
    "densenet-bc-100-12": DenseNet,
    "convmixer-256-8": convmixer,
    "senet18": SENet,
}
