#!/usr/bin/env python3
"""An independent reference of nnU-Net's two U-Nets and its loss: writes unet_goldens.json beside itself.

Needs PyTorch (Debian: python3-torch). Written from the published description with torch.nn's own modules, and nothing
of the C++ code in it. Weights are a function of the tensor's name, so that none have to be stored.
"""
import json
import math
import pathlib

import torch
from torch import nn
from torch.nn import functional as F

torch.set_default_dtype(torch.float64)


def wave(name, shape, scale):
    """scale * sin(phase + 0.7 k), phase from the sum of the name's bytes."""
    count = math.prod(shape)
    phase = sum(name.encode()) % 1000 / 100
    return scale * torch.sin(phase + 0.7 * torch.arange(count)).reshape(shape)


def conv(dims, *args, **kwargs):
    return (nn.Conv2d, nn.Conv3d)[dims - 2](*args, **kwargs)


class Block(nn.Module):  # conv, norm, and an activation where asked
    def __init__(self, dims, cin, cout, kernel, stride, bias=True, activate=True):
        super().__init__()
        self.conv = conv(dims, cin, cout, kernel, stride, [(k - 1) // 2 for k in kernel], bias=bias)
        self.norm = (nn.InstanceNorm2d, nn.InstanceNorm3d)[dims - 2](cout, eps=1e-5, affine=True)
        self.activate = activate

    def forward(self, x):
        x = self.norm(self.conv(x))
        return F.leaky_relu(x, 0.01) if self.activate else x


class Stacked(nn.Module):
    def __init__(self, dims, count, cin, cout, kernel, stride):
        super().__init__()
        one = [1] * dims
        self.convs = nn.Sequential(
            *[Block(dims, cin if i == 0 else cout, cout, kernel, stride if i == 0 else one) for i in range(count)])

    def forward(self, x):
        return self.convs(x)


class Residual(nn.Module):
    def __init__(self, dims, cin, cout, kernel, stride):
        super().__init__()
        one = [1] * dims
        self.conv1 = Block(dims, cin, cout, kernel, stride)
        self.conv2 = Block(dims, cout, cout, kernel, one, activate=False)
        steps = []
        if any(s != 1 for s in stride):
            steps.append((nn.AvgPool2d, nn.AvgPool3d)[dims - 2](stride, stride))
        if cin != cout:
            steps.append(Block(dims, cin, cout, one, one, bias=False, activate=False))
        self.skip = nn.Sequential(*steps)

    def forward(self, x):
        return F.leaky_relu(self.conv2(self.conv1(x)) + self.skip(x), 0.01)


class Blocks(nn.Module):
    def __init__(self, dims, count, cin, cout, kernel, stride):
        super().__init__()
        one = [1] * dims
        self.blocks = nn.Sequential(
            *[Residual(dims, cin if i == 0 else cout, cout, kernel, stride if i == 0 else one) for i in range(count)])

    def forward(self, x):
        return self.blocks(x)


class Encoder(nn.Module):
    def __init__(self, residual, dims, cin, features, kernels, strides):
        super().__init__()
        stages = []
        if residual:
            self.stem = Stacked(dims, 1, cin, features[0], kernels[0], [1] * dims)
            cin = features[0]
        for s, out in enumerate(features):
            if residual:
                stages.append(Blocks(dims, [1, 3, 4, 6, 6][s], cin, out, kernels[s], strides[s]))
            else:
                stages.append(nn.Sequential(Stacked(dims, 2, cin, out, kernels[s], strides[s])))
            cin = out
        self.stages = nn.ModuleList(stages)

    def forward(self, x):
        if hasattr(self, "stem"):
            x = self.stem(x)
        skips = []
        for stage in self.stages:
            x = stage(x)
            skips.append(x)
        return skips


class Decoder(nn.Module):
    def __init__(self, residual, dims, classes, features, kernels, strides):
        super().__init__()
        self.stages, self.transpconvs, self.seg_layers = nn.ModuleList(), nn.ModuleList(), nn.ModuleList()
        one = [1] * dims
        for s in range(len(features) - 1, 0, -1):
            below, skip = features[s], features[s - 1]
            self.transpconvs.append(
                (nn.ConvTranspose2d, nn.ConvTranspose3d)[dims - 2](below, skip, strides[s], strides[s]))
            self.stages.append(Stacked(dims, 1 if residual else 2, 2 * skip, skip, kernels[s - 1], one))
            self.seg_layers.append(conv(dims, skip, classes, 1))

    def forward(self, skips):
        outputs, x = [], skips[-1]
        for d, (up, stage, head) in enumerate(zip(self.transpconvs, self.stages, self.seg_layers)):
            x = stage(torch.cat([up(x), skips[-2 - d]], 1))
            outputs.append(head(x))
        return outputs[::-1]


class UNet(nn.Module):
    def __init__(self, residual, cin, classes, features, kernels, strides):
        super().__init__()
        dims = len(strides[0])
        self.encoder = Encoder(residual, dims, cin, features, kernels, strides)
        self.decoder = Decoder(residual, dims, classes, features, kernels, strides)

    def forward(self, x):
        return self.decoder(self.encoder(x))


def fill(network):
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            offset = 1.0 if name.endswith("norm.weight") else 0.0
            parameter.copy_(offset + wave(name, parameter.shape, 0.3))


def soft_dice_and_ce(logits, target, batch_dice):
    """nnU-Net's default loss of one output, written out."""
    classes = logits.shape[1]
    p = torch.softmax(logits, 1)
    onehot = F.one_hot(target, classes).movedim(-1, 1).to(p.dtype)
    axes = list(range(2, p.dim()))
    overlap, predicted, truth = (p * onehot).sum(axes), p.sum(axes), onehot.sum(axes)
    if batch_dice:
        overlap, predicted, truth = overlap.sum(0), predicted.sum(0), truth.sum(0)
    dice = (2 * overlap[..., 1:] + 1e-5) / torch.clamp(predicted[..., 1:] + truth[..., 1:] + 1e-5, min=1e-8)
    return F.cross_entropy(logits, target) - dice.mean()


def deep_supervision(outputs, target, batch_dice):
    weights = [0.5 ** i for i in range(len(outputs))]
    weights[-1] = 0.0
    total = sum(weights)
    loss = 0.0
    for weight, logits in zip(weights, outputs):
        size = logits.shape[2:]
        scaled = F.interpolate(target[:, None].to(logits.dtype), size=size, mode="nearest-exact")[:, 0].long()
        loss = loss + weight / total * soft_dice_and_ce(logits, scaled, batch_dice)
    return loss


CASES = [
    dict(name="plain 3d", residual=False, shape=[2, 1, 8, 8, 12], classes=3, features=[2, 4, 5],
         kernels=[[3, 3, 3], [3, 3, 3], [3, 3, 3]], strides=[[1, 1, 1], [2, 2, 2], [2, 2, 2]]),
    dict(name="plain anisotropic", residual=False, shape=[1, 2, 4, 12, 8], classes=2, features=[3, 6, 6],
         kernels=[[1, 3, 3], [1, 3, 3], [3, 3, 3]], strides=[[1, 1, 1], [1, 2, 2], [2, 2, 2]]),
    dict(name="plain 2d", residual=False, shape=[2, 3, 12, 8], classes=4, features=[2, 4, 8],
         kernels=[[3, 3], [3, 3], [3, 3]], strides=[[1, 1], [2, 2], [2, 2]]),
    dict(name="residual 3d", residual=True, shape=[2, 1, 8, 8, 12], classes=3, features=[2, 4, 5],
         kernels=[[3, 3, 3], [3, 3, 3], [3, 3, 3]], strides=[[1, 1, 1], [2, 2, 2], [2, 2, 2]]),
    dict(name="residual anisotropic", residual=True, shape=[1, 2, 4, 12, 8], classes=2, features=[3, 6, 6],
         kernels=[[1, 3, 3], [1, 3, 3], [3, 3, 3]], strides=[[1, 1, 1], [1, 2, 2], [2, 2, 2]]),
    dict(name="residual 2d", residual=True, shape=[2, 3, 16, 8], classes=4, features=[2, 4, 8, 8],
         kernels=[[3, 3], [3, 3], [3, 3], [3, 3]], strides=[[1, 1], [2, 2], [2, 2], [2, 2]]),
]


def main():
    goldens = []
    for case in CASES:
        network = UNet(case["residual"], case["shape"][1], case["classes"], case["features"], case["kernels"],
                       case["strides"])
        fill(network)
        x = wave(case["name"], case["shape"], 1.0)
        outputs = network(x)
        target_shape = case["shape"][:1] + case["shape"][2:]
        target = (torch.arange(math.prod(target_shape)) * 7 // 5 % case["classes"]).reshape(target_shape)
        golden = dict(case, parameters=sum(p.numel() for p in network.parameters()),
                      outputs=[[round(v, 7) for v in o.flatten()[::5].tolist()] for o in outputs],
                      loss=deep_supervision(outputs, target, False).item(),
                      loss_batch_dice=deep_supervision(outputs, target, True).item())
        goldens.append(golden)
    path = pathlib.Path(__file__).with_name("unet_goldens.json")
    path.write_text("[\n" + ",\n".join(json.dumps(g) for g in goldens) + "\n]\n")


main()
