import assert from 'node:assert/strict';
import { test } from 'node:test';
import { jpeg, json, open, turn } from './fake_test.js';

test('snap: the picture with the bytes of the result is the one', async (t) => {
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
	client.deliver('cam/a/frame', jpeg(500));
	client.deliver('cam/a/frame', jpeg(2));
	client.deliver('cam/a/result', json({ cmd: 'snap', id: 'other', ok: true, bytes: jpeg(2).length }));
	client.deliver('cam/a/result', json({ cmd: 'snap', id, ok: true, code: 'ok', took_ms: 42, bytes: jpeg(500).length }));
	assert.deepEqual(await taken, { tookMS: 42, bytes: jpeg(500).length, jpeg: jpeg(500) });
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
	client.deliver('cam/a/result', json({ cmd: 'snap', id, ok: true, took_ms: 5, bytes: 9999 }));
	await pass(500);
	assert.ok(heard().includes('snapshot'));
	client.deliver('cam/a/snapshot', jpeg(9), true);
	assert.deepEqual((await taken).jpeg, jpeg(9));
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
