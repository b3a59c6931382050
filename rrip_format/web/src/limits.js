// What the reader accepts at most (spec section 12): the least that every reader has to accept.

export const MAX_FAMILIES = 2 ** 28;
export const MAX_METADATA_BYTES = 2 ** 26;
export const MAX_METADATA_MARKS = 2 ** 17;
export const MAX_METADATA_DEPTH = 64;
export const MAX_ATTACHMENT_BYTES = 2 ** 28;
export const MAX_ATTACHMENT_PX = 2 ** 25;
export const MAX_DIRECTORY_BYTES = 2 ** 24;
export const MAX_SIDE = 2 ** 31 - 1;
