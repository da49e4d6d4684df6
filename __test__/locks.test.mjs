import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ended, newDirectory, nextLine, openAt, rejects, spawnFixture } from './helpers.mjs';

const CONTENDERS = 6;
const RACES = 4;

/** Lets processes that are ready open `directory` at the same time. */
async function race(t, directory) {
  const contenders = Array.from({ length: CONTENDERS }, () => spawnFixture(t, 'contender.mjs', [directory]));
  await Promise.all(contenders.map(nextLine));
  const lines = contenders.map(nextLine);
  for (const contender of contenders) contender.stdin.write('go\n');
  return (await Promise.all(lines)).map((line, index) => ({ contender: contenders[index], line }));
}

function assertOneHas(results) {
  const winners = results.filter(({ line }) => line === 'opened');
  assert.equal(winners.length, 1, results.map(({ line }) => line).join('\n'));
  const [{ contender: winner }] = winners;
  for (const { contender, line } of results) {
    if (contender === winner) continue;
    assert.match(line, /^ERR_CAIRN_LOCKED /);
    // Whoever asks before the winner has written its process id down is not told one, rather than a wrong one.
    const named = /in use by (process (\d+)|another process);/.exec(line);
    assert.ok(named && (named[2] === undefined || Number(named[2]) === winner.pid), `${line} (it is ${winner.pid})`);
  }
  return winner;
}

/** Waits until a writer has acknowledged `count` more writes. Returns all that it has printed since it was watched. */
function watch(writer) {
  const seen = { text: '' };
  writer.stdout.setEncoding('utf8').on('data', (text) => {
    seen.text += text;
  });
  const lines = () => seen.text.split('\n').length - 1;
  seen.more = async (count) => {
    const goal = lines() + count;
    while (lines() < goal) await new Promise((resolve) => setTimeout(resolve, 5));
  };
  seen.acknowledged = () => seen.text.split('\n').slice(0, -1).map(Number);
  return seen;
}

test('of processes that open a directory at once exactly one has it, and after each kill the next one', async (t) => {
  const directory = newDirectory(t);
  for (let round = 0; round < RACES; round += 1) {
    const winner = assertOneHas(await race(t, directory));
    const end = ended(winner);
    winner.kill('SIGKILL');
    await end;
  }
  assert.deepEqual((await openAt(t, directory)).listTables(), []);
});

test('a holder that is killed in the middle of its writes leaves the directory to whoever asks next', async (t) => {
  const directory = newDirectory(t);
  for (let round = 0; round < 3; round += 1) {
    const holder = spawnFixture(t, 'writer.mjs', [directory, 'os']);
    const seen = watch(holder);
    await seen.more(1);
    await rejects(() => openAt(t, directory), 'ERR_CAIRN_LOCKED', new RegExp(`process ${holder.pid};`));
    const end = ended(holder);
    holder.kill('SIGKILL');
    await end;
    // At once: nothing has to time out first.
    const db = await openAt(t, directory);
    for (const index of seen.acknowledged()) assert.equal(db.getSync('t', `k${index}`)?.index, index);
    await db.close();
  }
});

if (process.platform !== 'win32') {
  test('a holder that is stopped still has the directory, goes on undisturbed, and can be killed', async (t) => {
    const directory = newDirectory(t);
    const holder = spawnFixture(t, 'writer.mjs', [directory, 'full']);
    const seen = watch(holder);
    // Deno's kill() of a child takes the first signal for its end.
    const signal = (name) => process.kill(holder.pid, name);
    const locked = () => rejects(() => openAt(t, directory), 'ERR_CAIRN_LOCKED', new RegExp(`process ${holder.pid};`));
    await seen.more(20);
    for (let round = 0; round < 3; round += 1) {
      signal('SIGSTOP');
      await locked();
      signal('SIGCONT');
      await seen.more(20);
    }
    signal('SIGSTOP');
    await locked();
    const end = ended(holder);
    signal('SIGKILL');
    assert.equal((await end).stderr, '');
    const db = await openAt(t, directory);
    assert.ok(seen.acknowledged().length >= 80);
    for (const index of seen.acknowledged()) assert.equal(db.getSync('t', `k${index}`)?.index, index);
  });
}
