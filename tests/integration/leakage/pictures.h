// Pictures that are made for an attack: small, of high contrast, and with more in them than a mean of many would show.
#pragma once

#include <torch/torch.h>

#include <cstdint>
#include <vector>

namespace consilium::attacks {

// [count, 1, edge, edge] f32 in [0, 1]: a dark ground with a few bright discs and bars, soft at their edges.  A
// function of the seed.
torch::Tensor MakePictures(std::int64_t count, std::int64_t edge, std::uint64_t seed);

// Pixels as a network gets them, and back (cut to [0, 1]; what is no number is grey).
torch::Tensor Normalized(const torch::Tensor& pictures);
torch::Tensor Denormalized(const torch::Tensor& inputs);

// Peak signal-to-noise ratio of two pictures in [0, 1], in dB: 20 shows what is on a picture, 12 is a grey guess.
double Psnr(const torch::Tensor& guess, const torch::Tensor& truth);

// For each of the truths [n, ...] the best that any of the guesses [m, ...] comes to.
std::vector<double> BestPsnrs(const torch::Tensor& guesses, const torch::Tensor& truths);

}  // namespace consilium::attacks
