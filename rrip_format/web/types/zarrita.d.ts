export type Slide = import("./slide.js").Slide;
/**
 * What zarrita calls an `AsyncReadable`: a group with an array (3, height, width) of each level, in chunks of 4T px.
 *
 * A chunk that is damaged or missing is an error, never absent: Zarr would fill it.
 */
export declare class RripStore {
    slide: import("./slide.js").Slide;
    /** @param {Slide} slide */
    constructor(slide: Slide);
    /**
     * The value of a key, undefined where there is none.
     *
     * @param {string} key With a slash at its beginning.
     * @param {{signal?: AbortSignal}} [options]
     * @returns {Promise<Uint8Array | undefined>}
     */
    get(key: string, { signal }?: {
        signal?: AbortSignal;
    }): Promise<Uint8Array | undefined>;
    /** @param {number | null} level */
    document(level: number | null): Uint8Array<ArrayBuffer> | undefined;
    /** @param {number} level */
    array(level: number): {
        zarr_format: number;
        node_type: string;
        shape: number[];
        data_type: string;
        chunk_grid: {
            name: string;
            configuration: {
                chunk_shape: number[];
            };
        };
        chunk_key_encoding: {
            name: string;
            configuration: {
                separator: string;
            };
        };
        fill_value: number;
        codecs: {
            name: string;
        }[];
        dimension_names: string[];
        attributes: {};
    };
    group(): {
        zarr_format: number;
        node_type: string;
        attributes: {
            ome: {
                version: string;
                multiscales: {
                    name: string;
                    axes: ({
                        unit: string;
                        name: string;
                        type: string;
                    } | {
                        unit?: undefined;
                        name: string;
                        type: string;
                    })[];
                    datasets: {
                        path: string;
                        coordinateTransformations: ({
                            type: string;
                            scale: number[];
                            translation?: undefined;
                        } | {
                            scale?: undefined;
                            type: string;
                            translation: number[];
                        })[];
                    }[];
                    type: string;
                }[];
                omero: {
                    name: string;
                    channels: {
                        label: string;
                        color: string;
                        active: boolean;
                        window: {
                            min: number;
                            max: number;
                            start: number;
                            end: number;
                        };
                    }[];
                    rdefs: {
                        model: string;
                    };
                };
            };
        };
    };
}
