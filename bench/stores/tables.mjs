/** Tables of a store that has none, or none that are meant to be thousands: a prefix of the key. */
export const prefixed = (store) => (name) => {
  const within = (key) => `${name}\u0001${key}`;
  return {
    write: (key, value) => store.write(within(key), value),
    get: (key) => store.get(within(key)),
    getSync: store.getSync && ((key) => store.getSync(within(key))),
  };
};
