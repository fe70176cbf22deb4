// A clip that follows the updates' norms: which share of the sites is below it comes out of each sum, with noise.
//
// G. Andrew, O. Thakkar, B. McMahan, S. Ramaswamy, "Differentially private learning with adaptive clipping", NeurIPS
// 2021, algorithm 1: C <- C exp(-0.2 (share below - quantile)).
#pragma once

namespace consilium::private_sum {

// `share_below`: as the noisy sum says it, any number; counted as 0 to 1.  Stays within what a clip may be.
double NextClip(double clip, double share_below, double quantile);

}  // namespace consilium::private_sum
