/**
 * The platform, as its package is named, that a target of the Rust compiler is for:
 * `aarch64-unknown-linux-musl` is `linux-arm64-musl`, `x86_64-apple-darwin` is `darwin-x64`.
 */
export function platformOf(triple) {
  const [cpu, , system, abi] = triple.split('.')[0].split('-');
  const arch = { aarch64: 'arm64', x86_64: 'x64' }[cpu];
  const os = { darwin: 'darwin', linux: 'linux', windows: 'win32' }[system];
  if (arch === undefined || os === undefined) throw new Error(`${triple} is not a platform that CairnDB is built for`);
  return [os, arch, abi].filter(Boolean).join('-');
}
