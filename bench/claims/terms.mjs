// Names that the measuring process and the one that judges share.

export const ANY_KEY = 'overwrites any key';
export const ONE_BY_ONE = 'awaited one by one';
