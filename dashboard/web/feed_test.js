import assert from 'node:assert/strict';
import { test } from 'node:test';
import { dated, jpeg, json, open, turn } from './fake_test.js';

test('nobody looks: nothing is heard and nothing asked', async (t) => {
	const { client, feed, heard, pass } = await open(t);
	feed.update();
	await pass(20_000);
	assert.deepEqual(heard(), []);
	assert.deepEqual(client.sent, []);
});

test('a look leases, shows the kept picture first, and drops it for live ones', async (t) => {
	const { client, feed, watcher, heard, pictures, state } = await open(t);
	feed.watch(watcher());
	await turn();
	assert.deepEqual(heard(), ['frame', 'preview', 'result']);
	const [start] = client.commands('a');
	assert.deepEqual(
		[start.cmd, start.viewer, start.fps, start.size, start.for],
		['start', 'web-1', 5, '320x240', '15s'],
	);
	client.deliver('cam/a/preview', jpeg(1), true);
	assert.deepEqual([pictures[0].live, state().name], [false, 'connecting']);
	client.deliver('cam/a/frame', jpeg(2));
	await turn();
	assert.deepEqual(heard(), ['frame']);
	assert.deepEqual([pictures[1].live, state().name, state().text], [true, 'live', 'Live']);
});

test('a hidden page gives back lease and pictures in the same turn', async (t) => {
	const { client, feed, watcher, heard, pass } = await open(t);
	feed.watch(watcher());
	await turn();
	client.sent = [];
	feed.awake = false;
	await turn();
	assert.deepEqual(heard(), []);
	assert.deepEqual(client.commands('a'), [{ cmd: 'stop', viewer: 'web-1' }]);
	await pass(30_000);
	assert.deepEqual(client.sent, []);
	feed.awake = true;
	await turn();
	assert.equal(client.commands('a')[0].cmd, 'start');
});

test('the full view changes the lease and the tile takes it back', async (t) => {
	const { client, feed, watcher } = await open(t);
	const tile = watcher(5, 300);
	const full = watcher(15, 0);
	feed.watch(tile);
	await turn();
	client.sent = [];
	feed.unwatch(tile);
	feed.watch(full);
	await turn();
	const [start, ...rest] = client.commands('a');
	assert.deepEqual([start.cmd, start.fps, start.size, rest.length], ['start', 15, undefined, 0]);
	feed.unwatch(full);
	feed.watch(tile);
	await turn();
	assert.deepEqual(
		client.commands('a').map((c) => [c.cmd, c.fps, c.size]),
		[['start', 5, '320x240']],
	);
});

test('a lost broker costs no command, its return brings the lease back', async (t) => {
	const { client, feed, watcher, state, heard, pass } = await open(t);
	feed.watch(watcher());
	await turn();
	client.deliver('cam/a/frame', jpeg());
	client.sent = [];
	client.set('down');
	await pass(20_000);
	assert.deepEqual([client.sent, state().name], [[], 'connecting']);
	client.set('up');
	await turn();
	assert.equal(client.commands('a')[0].cmd, 'start');
	assert.deepEqual(heard(), ['frame', 'preview', 'result']);
});

test('no lease for cameras that are offline, asleep or private', async (t) => {
	const { client, feed, watcher, heard, state } = await open(t);
	client.deliver('cam/a/status', 'offline');
	feed.watch(watcher());
	await turn();
	assert.deepEqual([client.commands('a'), state().name, heard()], [[], 'offline', ['frame', 'preview']]);
	assert.match(state().text, /^Offline since \d\d:\d\d$/);
	client.deliver('cam/a/status', 'sleeping');
	await turn();
	assert.deepEqual([client.commands('a'), state().name], [[], 'sleeping']);
	client.deliver('cam/a/status', 'online');
	await turn();
	assert.equal(client.commands('a').length, 1);
	client.deliver('cam/a/state', json({ privacy: true }));
	await turn();
	assert.deepEqual([client.commands('a')[0].cmd, state().name, state().text], ['stop', 'privacy', 'Privacy is on']);
	client.deliver('cam/a/state', json({ privacy: true, error: { code: 'config', text: 'x is damaged' } }));
	await turn();
	assert.deepEqual([state().name, state().text], ['privacy', 'Privacy is on: x is damaged']);
});

test('stalled after two seconds or three frame times, whichever is more', async (t) => {
	const { client, feed, watcher, state, pass } = await open(t);
	feed.watch(watcher());
	await turn();
	client.deliver('cam/a/frame', jpeg());
	await pass(1900);
	assert.equal(state().name, 'live');
	await pass(200);
	assert.deepEqual(state(), { name: 'stalled', text: 'Stalled for 2 s' });
	client.deliver('cam/a/state', json({ streaming: true, fps: 0.5 }));
	assert.equal(state().name, 'live');
	await pass(4000);
	assert.equal(state().name, 'stalled');
	client.deliver('cam/a/frame', jpeg());
	assert.equal(state().name, 'live');
});

test('a camera that never starts is said to be so', async (t) => {
	const { feed, watcher, state, pass } = await open(t);
	feed.watch(watcher());
	await turn();
	assert.equal(state().name, 'connecting');
	await pass(8000);
	assert.deepEqual(state(), { name: 'stalled', text: 'No picture for 8 s' });
});

test('refusals: by result code, by subscription, by the camera itself', async (t) => {
	const { client, feed, watcher, state } = await open(t);
	feed.watch(watcher());
	await turn();
	const [{ id }] = client.commands('a');
	client.deliver('cam/a/result', json({ cmd: 'start', id: 'web-2-lease-1', ok: false, code: 'busy' }));
	assert.equal(state().name, 'connecting');
	client.deliver('cam/a/result', json({ cmd: 'start', id, ok: false, code: 'camera_busy', text: 'held by zoom' }));
	assert.deepEqual(state(), { name: 'refused', text: 'Camera in use by another program: held by zoom' });
	client.deliver('cam/a/frame', jpeg());
	assert.equal(state().name, 'live');
	feed.lastDrawn = 0;
	for (const [code, says] of [
		['no_camera', 'No camera'],
		['camera_busy', 'Camera in use by another program'],
		['stalled', 'Camera sends no pictures'],
		['config', 'Wrong configuration'],
	]) {
		client.deliver('cam/a/state', json({ error: { code, text: 'see the cable' } }));
		assert.deepEqual(state(), { name: 'error', text: `${says}: see the cable` });
	}
	client.subscriptions.get('cam/a/frame').refused();
	await turn();
	assert.equal(state().name, 'refused');
	assert.equal(client.commands('a').at(-1).cmd, 'stop');
});

test('bad pictures are counted and never handed on', async (t) => {
	const { client, feed, watcher, pictures, state } = await open(t);
	feed.watch(watcher());
	await turn();
	for (const bad of [
		new Uint8Array(),
		new TextEncoder().encode('<svg onload=alert(1)>'),
		jpeg(0, 30_000, 30_000),
		jpeg().slice(0, -2),
	]) {
		client.deliver('cam/a/frame', bad);
	}
	assert.deepEqual([feed.counts.broken, pictures.length, state().name], [4, 0, 'error']);
	client.deliver('cam/a/frame', jpeg(0, 7000, 7000));
	assert.equal(pictures.length, 1);
});

test('Stop ends every lease and asks for no new one until Start', async (t) => {
	const { client, feed, watcher, state, pass } = await open(t);
	feed.watch(watcher());
	await turn();
	client.deliver('cam/a/frame', jpeg());
	await turn();
	client.sent = [];
	const stopped = feed.stop();
	const [stop, ...others] = client.commands('a');
	assert.deepEqual([stop.cmd, stop.viewer, others.length], ['stop', undefined, 0]);
	client.deliver('cam/a/result', json({ cmd: 'stop', id: stop.id, ok: true, code: 'ok' }));
	await stopped;
	await pass(20_000);
	assert.deepEqual([client.sent, state().name], [[], 'idle']);
	const started = feed.start();
	const commands = client.commands('a');
	assert.deepEqual(
		commands.map((c) => [c.cmd, c.viewer]),
		[
			['start', 'web-1'],
			['start', undefined],
		],
	);
	client.deliver(
		'cam/a/result',
		json({ cmd: 'start', id: commands[1].id, ok: false, code: 'no_camera', text: 'unplugged' }),
	);
	await assert.rejects(started, /unplugged/);
});

test('a command without answer ends in words', async (t) => {
	const { feed, watcher, pass } = await open(t);
	feed.watch(watcher());
	await turn();
	const stopped = feed.stop();
	const said = assert.rejects(stopped, /did not answer/);
	await pass(8000);
	await said;
});

test('pictures that replace each other halve the rate and say so; it recovers', async (t) => {
	const { client, feed, watcher, state, pass } = await open(t);
	feed.watch(watcher(8));
	await turn();
	client.commands('a');
	for (let s = 0; s < 8; s++) {
		for (let i = 0; i < 8; i++) client.deliver('cam/a/frame', jpeg(i));
		for (let i = 0; i < 4; i++) feed.replaced();
		await pass(1000);
		feed.tick(Date.now());
		await turn();
	}
	client.deliver('cam/a/frame', jpeg());
	assert.deepEqual(state(), { name: 'slow', text: 'Too slow: 4 fps at most' });
	assert.ok(client.commands('a').some((c) => c.fps === 4));
	for (let s = 0; s < 30; s++) {
		client.deliver('cam/a/frame', jpeg());
		await pass(1000);
		feed.tick(Date.now());
		await turn();
	}
	client.deliver('cam/a/frame', jpeg());
	assert.equal(state().name, 'live');
	assert.equal(client.commands('a').at(-1).fps, 8);
});

test('close lets go of everything', async (t) => {
	const { client, feed, watcher, heard } = await open(t);
	feed.watch(watcher());
	await turn();
	client.sent = [];
	const taken = assert.rejects(feed.snap(), /removed/);
	feed.close();
	await taken;
	await turn();
	assert.deepEqual(heard(), []);
	assert.equal(client.commands('a').at(-1).cmd, 'stop');
});

test('on a line that was slow from the start, an answer tells how old pictures are', async (t) => {
	const { client, feed, watcher, heard, pass } = await open(t);
	feed.watch(watcher());
	await turn();
	const [first] = client.commands('a');
	const began = Date.now();
	await pass(6000);
	client.deliver('cam/a/frame', dated(began + 1000));
	await turn();
	assert.deepEqual(heard(), ['frame', 'result']); // 5 s of line, or of clocks: nobody knows yet
	const at = new Date(began + 1000).toISOString();
	client.deliver('cam/a/result', json({ cmd: 'start', id: first.id, ok: true, code: 'ok', ts: at, took_ms: 980 }));
	await turn();
	assert.deepEqual(heard(), ['frame']);
	assert.equal(feed.age(Date.now()), 5000);
});
