// Written from `llc-19 -march=x86-64 -mattr=help` and `-march=aarch64`, without what only tunes code.
#include <sstream>

#include "registry/pipeline_condition.h"

namespace tenon {

namespace {

constexpr const char* kFeatures =
    "adx aes altnzcv am amvs amx-bf16 amx-complex amx-fp16 amx-int8 amx-tile avx avx10.1-256 avx10.1-512 avx2 "
    "avx512bf16 avx512bitalg avx512bw avx512cd avx512dq avx512f avx512fp16 avx512ifma avx512vbmi avx512vbmi2 "
    "avx512vl avx512vnni avx512vp2intersect avx512vpopcntdq avxifma avxneconvert avxvnni avxvnniint16 avxvnniint8 "
    "b16b16 bf16 bmi bmi2 branch-hint brbe bti ccdp ccidx ccpp cf chk cldemote clflushopt clrbhb clwb clzero cmov "
    "cmpccxadd complxnum cpa crc crc32 crypto cx16 cx8 d128 dit dotprod ecv egpr enqcmd ermsb ete evex512 f16c "
    "f32mm f64mm faminmax fgt flagm fma fma4 fmv fp-armv8 fp16fml fp8 fp8dot2 fp8dot4 fp8fma fpac fptoint "
    "fsgsbase fsrm fullfp16 fxsr gcs gfni hbc hcx hreset i8mm inline-asm-use-gpr32 invpcid ite jsconv kl lor ls64 "
    "lse lse128 lse2 lut lwp lzcnt mec mmx mops movbe movdir64b movdiri mpam mte mwaitx neon nf nmi nopl nv pan "
    "pan-rwv pauth pauth-lr pclmul pconfig perfmon pku popcnt ppx predres prefetchi prfchw prfm-slc-target "
    "ptwrite push2pop2 rand raoint ras rasv2 rcpc rcpc-immo rcpc3 rdm rdpid rdpru rdrnd rdseed rme rtm sahf sb "
    "sel2 serialize sgx sha sha2 sha3 sha512 shstk sm3 sm4 sme sme-b16b16 sme-f16f16 sme-f64f64 sme-f8f16 "
    "sme-f8f32 sme-fa64 sme-i16i64 sme-lutv2 sme2 sme2p1 spe spe-eef specres2 specrestrict ssbs sse "
    "sse-unaligned-mem sse2 sse3 sse4.1 sse4.2 sse4a ssse3 ssve-fp8dot2 ssve-fp8dot4 ssve-fp8fma sve sve-b16b16 sve2 "
    "sve2-aes sve2-bitperm sve2-sha3 sve2-sm4 sve2p1 tbm the tlb-rmi tlbiw tme tpidr-el1 tpidr-el2 tpidr-el3 "
    "tpidrro-el0 tracev8.4 trbe tsxldtrk uaops uintr usermsr vaes vh vpclmulqdq vzeroupper waitpkg wbnoinvd "
    "widekl xop xs xsave xsavec xsaveopt xsaves ";

}  // namespace

const std::vector<std::string>& cpu_feature_names() {
  static const std::vector<std::string> names = [] {
    std::istringstream words(kFeatures);
    std::vector<std::string> out;
    for (std::string word; words >> word;) out.push_back(word);
    return out;
  }();
  return names;
}

}  // namespace tenon
