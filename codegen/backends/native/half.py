"""Half precision on processors without instructions for it: what LLVM calls there, under the names that it calls."""

CONVERSIONS = """
define weak_odr hidden float @__extendhfsf2(half %x) nounwind {
  %h = bitcast half %x to i16
  %bits = zext i16 %h to i32
  %size = and i32 %bits, 32767
  %sign0 = and i32 %bits, 32768
  %sign = shl i32 %sign0, 16
  %moved = shl i32 %size, 13
  %small = bitcast i32 %moved to float
  %scaled = fmul float %small, 0x46F0000000000000
  %usual = bitcast float %scaled to i32
  %far = or i32 %moved, 2139095040
  %finite = icmp ult i32 %size, 31744
  %found = select i1 %finite, i32 %usual, i32 %far
  %signed = or i32 %found, %sign
  %out = bitcast i32 %signed to float
  ret float %out
}

define weak_odr hidden half @__truncsfhf2(float %x) nounwind {
  %bits = bitcast float %x to i32
  %size = and i32 %bits, 2147483647
  %sign0 = lshr i32 %bits, 16
  %sign = and i32 %sign0, 32768
  %last0 = lshr i32 %size, 13
  %last = and i32 %last0, 1
  %moved = sub i32 %size, 939524096
  %up = add i32 %moved, 4095
  %even = add i32 %up, %last
  %usual = lshr i32 %even, 13
  %plain = bitcast i32 %size to float
  %aligned = fadd float %plain, 5.000000e-01
  %raised = bitcast float %aligned to i32
  %tiny = sub i32 %raised, 1056964608
  %isnan = icmp ugt i32 %size, 2139095040
  %large = icmp uge i32 %size, 1199570944
  %below = icmp ult i32 %size, 947912704
  %a = select i1 %below, i32 %tiny, i32 %usual
  %b = select i1 %large, i32 31744, i32 %a
  %c = select i1 %isnan, i32 32256, i32 %b
  %signed = or i32 %c, %sign
  %short = trunc i32 %signed to i16
  %out = bitcast i16 %short to half
  ret half %out
}
"""
