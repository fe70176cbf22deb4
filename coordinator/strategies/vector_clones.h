// Functions that the compiler makes twice, for processors with and without AVX2.  Without fused multiply-add: the same
// products and sums either way, so the same bits on every machine.
#pragma once

#if defined(__x86_64__) && defined(__GNUC__) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#define CONSILIUM_VECTOR_CLONES __attribute__((target_clones("avx2", "default")))
#else
#define CONSILIUM_VECTOR_CLONES
#endif
