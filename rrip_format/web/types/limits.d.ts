export declare const MAX_FAMILIES: number;
export declare const MAX_METADATA_BYTES: number;
export declare const MAX_METADATA_MARKS: number;
export declare const MAX_METADATA_DEPTH = 64;
export declare const MAX_ATTACHMENT_BYTES: number;
export declare const MAX_ATTACHMENT_PX: number;
export declare const MAX_DIRECTORY_BYTES: number;
export declare const MAX_SIDE: number;
