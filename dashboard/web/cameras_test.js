import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Cameras, lost } from './cameras.js';
import { FakeClient } from './fake_test.js';

const json = (/** @type {unknown} */ v) => JSON.stringify(v);

/** @param {import('node:test').TestContext} [t] plays with its time */
function open(t) {
	t?.mock.timers.enable({ apis: ['setTimeout', 'Date'], now: 1_800_000_000_000 });
	const client = new FakeClient();
	const cameras = new Cameras(client, 'cam');
	const log = [];
	for (const kind of ['added', 'changed', 'removed'])
		cameras.addEventListener(kind, (e) => log.push(`${kind} ${e.detail.id}`));
	cameras.open();
	return { client, cameras, log };
}

test('subscribes to what cameras report', () => {
	const { client } = open();
	assert.deepEqual(
		[...client.subscriptions.keys()],
		['status', 'info', 'state', 'stats', 'event'].map((k) => `cam/+/${k}`),
	);
	assert.deepEqual(client.sent, []);
});

test('where the broker tells of no camera all are asked, on every connect', (t) => {
	const { client } = open(t);
	t.mock.timers.tick(300);
	assert.deepEqual(client.sent, [['cam/_all/cmd', 'hello']]);
	client.set('down');
	t.mock.timers.tick(300);
	client.set('up');
	t.mock.timers.tick(300);
	assert.equal(client.sent.length, 2);
});

test('where the broker tells of cameras none is asked', (t) => {
	const { client } = open(t);
	client.deliver('cam/a/status', 'online', true);
	t.mock.timers.tick(10_000);
	assert.deepEqual(client.sent, []);
});

test('a camera that is heard but not known is asked, now and then', (t) => {
	const { client, log } = open(t);
	client.deliver('cam/x/status', 'online', true); // the broker tells of others
	client.deliver('cam/a/event', json({ event_type: 'snapshot' }));
	client.deliver('cam/a/stats', json({ every: 30 }));
	assert.deepEqual(client.sent, [['cam/a/cmd', 'hello']]);
	t.mock.timers.tick(30_000);
	client.deliver('cam/a/stats', json({ every: 30 }));
	assert.equal(client.sent.length, 2);
	client.deliver('cam/a/info', json({ name: 'A' }));
	t.mock.timers.tick(30_000);
	client.deliver('cam/a/stats', json({ every: 30 }));
	assert.deepEqual([client.sent.length, log.at(-1)], [2, 'changed a']);
});

test('what is retained of a camera that is not known asks nothing: it may be long gone', (t) => {
	const { client } = open(t);
	client.deliver('cam/a/state', json({ streaming: true }), true);
	client.deliver('cam/b/state', '');
	t.mock.timers.tick(10_000);
	assert.deepEqual(client.sent, []);
});

test('a camera is added by status or info, never by state alone', () => {
	const { client, cameras, log } = open();
	client.deliver('cam/a/state', json({ streaming: true, fps: 5 }), true);
	assert.deepEqual(log, []);
	assert.equal(cameras.get('a'), undefined);
	client.deliver('cam/a/info', json({ name: 'Front door' }), true);
	assert.deepEqual(log, ['added a']);
	assert.equal(cameras.get('a')?.name, 'Front door');
	assert.equal(cameras.get('a')?.state?.fps, 5);
	client.deliver('cam/b/status', 'online', true);
	assert.deepEqual(
		cameras.list().map((c) => c.name),
		['b', 'Front door'],
	);
});

test('clearing status and info removes it, one of both does not', () => {
	const { client, cameras, log } = open();
	client.deliver('cam/a/status', 'online', true);
	client.deliver('cam/a/info', json({ name: 'A' }), true);
	client.deliver('cam/a/status', '');
	assert.equal(cameras.list().length, 1);
	client.deliver('cam/a/info', '');
	assert.equal(cameras.list().length, 0);
	assert.equal(log.at(-1), 'removed a');
	client.deliver('cam/a/status', 'online');
	assert.equal(log.at(-1), 'added a');
});

test('ids that are none and broken reports are ignored', () => {
	const { client, cameras } = open();
	for (const id of ['_all', 'A', '<b>', 'x'.repeat(33), '-a']) client.deliver(`cam/${id}/status`, 'online');
	assert.equal(cameras.list().length, 0);
	client.deliver('cam/a/status', 'online');
	client.deliver('cam/a/status', 'on fire');
	client.deliver('cam/a/info', json({ name: 'A' }));
	for (const junk of ['{', '[]', 'null', '7', `"${'x'.repeat(70_000)}"`]) {
		client.deliver('cam/a/info', junk);
		client.deliver('cam/a/state', junk);
		client.deliver('cam/a/stats', junk);
		client.deliver('cam/a/event', junk);
	}
	const a = cameras.get('a');
	assert.deepEqual([a?.status, a?.name, a?.state, a?.stats, a?.event], ['online', 'A', null, null, null]);
});

test('a hostile publisher cannot grow the page without end', () => {
	const { client, cameras } = open();
	for (let i = 0; i < 1500; i++) client.deliver(`cam/c${i}/status`, 'online');
	assert.equal(cameras.list().length, 1000);
});

test('names and texts lose control and bidirectional characters and their excess', () => {
	const { client, cameras } = open();
	client.deliver(
		'cam/a/info',
		json({ name: `\u202Eevil\u0000\n<b>\u2066${'x'.repeat(500)}`, sizes: ['640x480', '9x', 3, '320x240', '99999x1'] }),
	);
	client.deliver(
		'cam/a/state',
		json({ width: -4, height: 1e9, fps: 'many', error: { code: 'no_camera', text: '\u001b[31mgone' } }),
	);
	const a = cameras.get('a');
	assert.match(a?.name ?? '', /^evil <b> x+…$/);
	assert.equal([...(a?.name ?? '')].length, 64);
	assert.deepEqual(a?.info?.sizes, [
		{ width: 320, height: 240 },
		{ width: 640, height: 480 },
	]);
	assert.deepEqual([a?.state?.width, a?.state?.height, a?.state?.fps], [0, 16_384, 0]);
	assert.deepEqual(a?.state?.error, { code: 'no_camera', text: '[31mgone' });
});

test('three stats missed make an online camera lost, pictures count as life', (t) => {
	t.mock.timers.enable({ apis: ['Date'], now: 1e12 });
	const { client, cameras } = open();
	client.deliver('cam/a/status', 'online', true);
	const a = cameras.get('a');
	t.mock.timers.tick(90_000);
	assert.equal(lost(a, Date.now()), false);
	t.mock.timers.tick(1000);
	assert.equal(lost(a, Date.now()), true);
	client.deliver('cam/a/state', json({}), true); // old news proves nothing
	assert.equal(lost(a, Date.now()), true);
	client.deliver('cam/a/stats', json({ every: 5 }));
	assert.equal(lost(a, Date.now()), false);
	t.mock.timers.tick(15_001);
	assert.equal(lost(a, Date.now()), true);
	cameras.heard('a');
	assert.equal(lost(a, Date.now()), false);
	t.mock.timers.tick(60_000);
	client.deliver('cam/a/status', 'sleeping'); // its node goes on with the heartbeat
	t.mock.timers.tick(15_000);
	assert.equal(lost(a, Date.now()), false);
	t.mock.timers.tick(1);
	assert.equal(lost(a, Date.now()), true);
});

test('offline has a time only when the page saw it happen', (t) => {
	t.mock.timers.enable({ apis: ['Date'], now: 1e12 });
	const { client, cameras } = open();
	client.deliver('cam/a/status', 'offline', true);
	assert.equal(cameras.get('a')?.offlineSince, null);
	client.deliver('cam/a/status', 'online');
	client.deliver('cam/a/status', 'offline');
	client.deliver('cam/a/status', 'offline');
	assert.equal(cameras.get('a')?.offlineSince, 1e12);
});

test('a refused subscription is told', () => {
	const { client, cameras } = open();
	const refused = [];
	cameras.addEventListener('refused', (e) => refused.push(e.detail));
	client.subscriptions.get('cam/+/status').refused('cam/+/status');
	assert.deepEqual(refused, ['cam/+/status']);
});
