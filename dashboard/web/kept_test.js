import assert from 'node:assert/strict';
import { test } from 'node:test';
import { dated, jpeg, json, open, turn } from './fake_test.js';
import { Kept } from './kept.js';

/** count counts how often a kept picture was dropped. @param {Kept} kept */
function count(kept) {
	const seen = { drops: 0 };
	kept.addEventListener('dropped', () => seen.drops++);
	return seen;
}

test('kept: dropped once when barred, and nothing is kept until allowed again', () => {
	const kept = new Kept();
	const seen = count(kept);
	kept.keep({ n: 1 });
	kept.bar(false);
	assert.deepEqual([kept.picture, seen.drops], [{ n: 1 }, 0]);
	kept.bar(true);
	kept.bar(true);
	kept.keep({ n: 2 });
	assert.deepEqual([kept.picture, kept.barred, seen.drops], [null, true, 1]);
	kept.bar(false);
	kept.keep({ n: 3 });
	assert.deepEqual(kept.picture, { n: 3 });
	kept.drop();
	assert.deepEqual([kept.picture, seen.drops], [null, 2]);
});

test('privacy drops the picture in the same turn, and every later one until it is off', async (t) => {
	const { client, feed, watcher, pictures, state, heard } = await open(t);
	const seen = count(feed.kept);
	feed.watch(watcher());
	await turn();
	client.deliver('cam/a/frame', jpeg(1));
	assert.notEqual(feed.last, null);
	client.deliver('cam/a/state', json({ privacy: true }));
	assert.deepEqual([feed.last, seen.drops], [null, 1]);
	client.deliver('cam/a/frame', jpeg(2));
	client.deliver('cam/a/preview', jpeg(3), true);
	assert.deepEqual([feed.last, pictures.length], [null, 1]);
	await turn();
	assert.deepEqual([heard(), state().name], [[], 'privacy']);
	client.deliver('cam/a/status', 'offline');
	await turn();
	assert.deepEqual([feed.last, heard()], [null, []], 'an offline camera stays private');
	client.deliver('cam/a/status', 'online');
	client.deliver('cam/a/state', json({ privacy: false }));
	await turn();
	assert.deepEqual([state().name, heard()], ['connecting', ['frame', 'preview', 'result']]);
	client.deliver('cam/a/frame', jpeg(4));
	assert.deepEqual([pictures.length, state().name, feed.last?.bytes], [2, 'live', jpeg(4)]);
});

test('a camera that was private before the page came shows no kept picture', async (t) => {
	const { client, feed, watcher, pictures } = await open(t);
	client.deliver('cam/a/state', json({ privacy: true }), true);
	feed.watch(watcher());
	await turn();
	client.deliver('cam/a/preview', jpeg(1), true);
	assert.deepEqual([pictures.length, feed.last], [0, null]);
});

test('a kept picture that comes before the state goes with it', async (t) => {
	const { client, feed, watcher } = await open(t);
	const seen = count(feed.kept);
	feed.watch(watcher());
	await turn();
	client.deliver('cam/a/preview', jpeg(1), true);
	assert.notEqual(feed.last, null);
	client.deliver('cam/a/state', json({ privacy: true }), true);
	assert.deepEqual([feed.last, seen.drops], [null, 1]);
});

test('a refusal for privacy drops the picture before the state is heard', async (t) => {
	const { client, feed, watcher } = await open(t);
	feed.watch(watcher());
	await turn();
	const [{ id }] = client.commands('a');
	client.deliver('cam/a/preview', jpeg(1), true);
	client.deliver('cam/a/result', json({ cmd: 'start', id, ok: false, code: 'privacy' }));
	assert.equal(feed.last, null);
});

test('privacy ends a snap, although its picture has come', async (t) => {
	const { client, feed, watcher } = await open(t);
	feed.watch(watcher());
	await turn();
	const refused = assert.rejects(feed.snap(), /privacy is on/);
	client.deliver('cam/a/frame', jpeg(7));
	client.deliver('cam/a/state', json({ privacy: true }));
	await refused;
});

test('an empty preview means that there is no picture', async (t) => {
	const { client, feed, watcher, state } = await open(t);
	const seen = count(feed.kept);
	feed.watch(watcher());
	await turn();
	client.deliver('cam/a/preview', dated(Date.now()), true);
	assert.notEqual(feed.last, null);
	client.deliver('cam/a/preview', '');
	assert.deepEqual([feed.last, seen.drops, feed.counts.broken], [null, 1, 0]);
	client.deliver('cam/a/preview', dated(Date.now() - 60_000), true);
	assert.notEqual(feed.last, null, 'an older picture may be kept in its place');
	assert.equal(state().name, 'connecting');
});

test('a camera that went away after live pictures obeys an empty preview too', async (t) => {
	const { client, feed, watcher, heard } = await open(t);
	feed.watch(watcher());
	await turn();
	client.deliver('cam/a/frame', dated(Date.now()));
	client.deliver('cam/a/status', 'offline');
	await turn();
	assert.deepEqual(heard(), ['frame', 'preview']);
	client.deliver('cam/a/preview', dated(Date.now() - 5000), true);
	assert.deepEqual(feed.last?.bytes, dated(Date.now()), 'what is shown is newer');
	client.deliver('cam/a/preview', '');
	assert.equal(feed.last, null);
});

test('an empty snapshot is no picture to save', async (t) => {
	const { client, feed, watcher, pass } = await open(t);
	feed.watch(watcher());
	await turn();
	client.commands('a');
	const refused = assert.rejects(feed.snap(), /removed/);
	const { id } = client.commands('a').find((c) => c.cmd === 'snap');
	client.deliver('cam/a/result', json({ cmd: 'snap', id, ok: true, code: 'ok', bytes: 5000 }));
	await pass(500);
	client.deliver('cam/a/snapshot', '');
	await refused;
});

test('without the right to see pictures none is kept', async (t) => {
	const { client, feed, watcher } = await open(t);
	feed.watch(watcher());
	await turn();
	client.deliver('cam/a/preview', jpeg(1), true);
	client.subscriptions.get('cam/a/frame').refused();
	assert.equal(feed.last, null);
});

test('a removed camera leaves no picture', async (t) => {
	const { client, feed, watcher } = await open(t);
	const seen = count(feed.kept);
	feed.watch(watcher());
	await turn();
	client.deliver('cam/a/frame', jpeg(1));
	feed.close();
	assert.deepEqual([feed.last, seen.drops], [null, 1]);
});
