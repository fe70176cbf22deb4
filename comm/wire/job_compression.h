// The job file's federation.compression.  Internal to comm/wire.
#pragma once

#include "comm/wire/job.h"

namespace consilium::wire {

// `compression: int8`, or `compression: {scheme: topk, fraction: 0.01, error_feedback: true}`.  Error feedback is on
// for topk, which does not converge without it, and off for the others, which lose little and then keep no residual.
void ReadCompression(ConfigReader& federation, tensor::CompressionSpec* compression);
// "none" as a word, the way sites of protocol 1.0 read it; else the map with every key.
Json CompressionToJson(const tensor::CompressionSpec& compression);

}  // namespace consilium::wire
