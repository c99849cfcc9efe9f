import assert from 'node:assert/strict';
import { test } from 'node:test';
import { jpeg, json, open, snapped, turn } from './fake_test.js';

const imageOf = (/** @type {number} */ n) => String(n).padStart(32, 'f');

test('snap: the picture with the image of the result is the one', async (t) => {
	const { client, feed, watcher, heard } = await open(t);
	feed.watch(watcher());
	await turn();
	client.deliver('cam/a/frame', jpeg(1));
	await turn();
	client.sent = [];
	const taken = feed.snap();
	const shared = feed.snap();
	assert.deepEqual(heard(), ['frame', 'result']);
	const [{ cmd, id }, ...others] = client.commands('a');
	assert.deepEqual([cmd, others.length], ['snap', 0]);
	const [mine, other] = [snapped(1), snapped(2)]; // of the same length
	client.deliver('cam/a/frame', mine);
	client.deliver('cam/a/frame', other);
	client.deliver('cam/a/result', json({ cmd: 'snap', id: 'other', ok: true, bytes: other.length, image: imageOf(2) }));
	const result = { cmd: 'snap', id, ok: true, code: 'ok', took_ms: 42, bytes: mine.length, image: imageOf(1) };
	client.deliver('cam/a/result', json(result));
	assert.deepEqual(await taken, { tookMS: 42, bytes: mine.length, jpeg: mine });
	assert.equal((await shared).tookMS, 42);
	await turn();
	assert.deepEqual(heard(), ['frame']);
});

test('snap: a picture replaced on its way is fetched from snapshot', async (t) => {
	const { client, feed, watcher, heard, pass } = await open(t);
	feed.watch(watcher());
	await turn();
	const taken = feed.snap();
	const { id } = client.commands('a').at(-1);
	client.deliver('cam/a/result', json({ cmd: 'snap', id, ok: true, took_ms: 5, bytes: 9999, image: imageOf(9) }));
	await pass(500);
	assert.ok(heard().includes('snapshot'));
	client.deliver('cam/a/snapshot', snapped(8), true); // of an earlier request
	client.deliver('cam/a/snapshot', snapped(9), true);
	assert.deepEqual((await taken).jpeg, snapped(9));
});

test('snap: no other picture takes the place of one that never comes', async (t) => {
	const { client, feed, watcher, pass } = await open(t);
	feed.watch(watcher());
	await turn();
	const taken = feed.snap();
	const { id } = client.commands('a').at(-1);
	client.deliver('cam/a/frame', snapped(1));
	client.deliver('cam/a/result', json({ cmd: 'snap', id, ok: true, took_ms: 5, bytes: 10, image: imageOf(9) }));
	await pass(500);
	await pass(3000);
	assert.deepEqual(await taken, { tookMS: 5, bytes: 10, jpeg: null });
});

test('snap: refused, unanswered and offline say so', async (t) => {
	const { client, feed, watcher, pass } = await open(t);
	feed.watch(watcher());
	await turn();
	let taken = feed.snap();
	const { id } = client.commands('a').at(-1);
	client.deliver('cam/a/result', json({ cmd: 'snap', id, ok: false, code: 'privacy', text: 'privacy is on' }));
	await assert.rejects(taken, /privacy is on/);
	taken = feed.snap();
	const said = assert.rejects(taken, /did not answer/);
	await pass(20_000);
	await said;
	client.set('down');
	await assert.rejects(feed.snap(), /no connection/);
});
