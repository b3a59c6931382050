/* kernels.h: all kernels of one variant and the table of them. Included at the end of each variant_*.c, which
 * defines the vector operations, VARIANT (name of the table), VARIANT_NAME (name in rrip.h) and CRC32C; and
 * SCAN_COLOUR to use the kernel of another variant. */
#include "kernel_idct.h"
#include "kernel_predict.h"
#include "kernel_filter.h"
#include "kernel_scan.h"
#ifndef RRIP_DECODER_ONLY
#include "kernel_blocks.h"
#include "kernel_measure.h"
#include "kernel_project.h"
#endif

const rrip_core VARIANT = {
    .name = VARIANT_NAME,
    .crc32c = CRC32C,
    .scan_gray = scan_gray,
    .scan_colour = SCAN_COLOUR,
    .predict_pair = predict_pair,
    .up2 = up2,
    .convert_line = convert_line,
    .filter_line = filter_line,
#ifndef RRIP_DECODER_ONLY
    .box2 = box2,
    .rgb_to_ycc = rgb_to_ycc,
    .exact_ycc = exact_ycc,
    .difference = difference,
    .luma = luma,
    .back_project = back_project,
    .dissimilarity = dissimilarity,
    .transform = transform,
    .choose_ac = choose_ac,
    .decode_levels = decode_levels,
#endif
};
