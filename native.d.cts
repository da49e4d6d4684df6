/** What the addon exports; its shape is written down in ts/native.ts. */
declare const addon: unknown;
export = addon;
