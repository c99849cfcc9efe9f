import assert from 'node:assert/strict';
import { beforeEach, test } from 'node:test';
import { FakeSocket, published } from './fake_test.js';
import { Client } from './mqtt.js';
import { publish } from './packets.js';
import { matches } from './routes.js';

let now = 0;
/** @type {FakeSocket[]} */
let sockets = [];

/** @param {import('node:test').TestContext} t */
function open(t, options = {}) {
	t.mock.timers.enable({ apis: ['setTimeout', 'setInterval', 'Date'] });
	const client = new Client({
		url: 'ws://x/mqtt',
		id: 'web-t',
		now: () => now,
		random: () => 0.5,
		socket: () => {
			sockets.push(new FakeSocket());
			return sockets.at(-1);
		},
		...options,
	});
	const pass = (ms, step = 100) => {
		for (let gone = 0; gone < ms; gone += step) {
			now += step;
			t.mock.timers.tick(step);
		}
	};
	const latest = () => sockets.at(-1);
	return { client, pass, latest };
}

beforeEach(() => {
	now = 1000;
	sockets = [];
});

test('connects, subscribes again after a break, and waits with jitter between', (t) => {
	const { client, pass, latest } = open(t);
	const states = [];
	client.addEventListener('change', () => states.push(client.status.state));
	client.subscribe('cam/+/status', { message() {}, qos: 1 });
	client.resume();
	latest().accept();
	assert.equal(latest().ofType(8).length, 1);
	latest().cut();
	assert.equal(client.status.state, 'down');
	assert.equal(client.status.retryAt, Date.now() + 750); // half way between 0.5 and 1 s
	pass(700);
	assert.equal(sockets.length, 1);
	pass(100);
	assert.equal(sockets.length, 2);
	latest().accept();
	assert.equal(latest().ofType(8).length, 1);
	assert.deepEqual(states, ['connecting', 'up', 'down', 'connecting', 'up']);
});

test('the wait grows to 15 s and is short again after a steady connection', (t) => {
	const { client, pass, latest } = open(t, { random: () => 1 });
	client.resume();
	const waits = [];
	for (let i = 0; i < 7; i++) {
		latest().cut();
		waits.push(client.status.retryAt - Date.now());
		pass(waits.at(-1));
	}
	assert.deepEqual(waits, [1000, 2000, 4000, 8000, 15_000, 15_000, 15_000]);
	latest().accept();
	pass(1000);
	latest().cut(); // up for a second only: a broker that throws us out is not hammered
	assert.equal(client.status.retryAt - Date.now(), 15_000);
	pass(15_000);
	latest().accept();
	pass(6000);
	latest().cut();
	assert.equal(client.status.retryAt - Date.now(), 1000);
});

test('a refusal says why and goes on trying', (t) => {
	const { client, pass, latest } = open(t);
	client.resume();
	latest().accept(5);
	assert.deepEqual([client.status.state, client.status.reason], ['refused', 'not authorised']);
	pass(1000);
	assert.equal(sockets.length, 2);
	assert.equal(client.status.state, 'refused');
	latest().accept(0);
	assert.equal(client.status.state, 'up');
});

test('nudge tries at once, and finds out a dead line', (t) => {
	const { client, pass, latest } = open(t);
	client.resume();
	latest().cut();
	client.nudge();
	assert.equal(sockets.length, 2);
	latest().accept();
	client.nudge();
	assert.equal(latest().ofType(12).length, 1);
	pass(2000);
	latest().receive([0xd0, 0]);
	pass(4000);
	assert.equal(client.status.state, 'up');
	client.nudge();
	pass(5000);
	assert.equal(client.status.state, 'down');
	assert.equal(sockets[1].closed, 1);
});

test('pings when nothing was sent, and gives up after one and a half keepalives of silence', (t) => {
	const { client, pass, latest } = open(t);
	client.resume();
	latest().accept();
	pass(22_000);
	assert.equal(latest().ofType(12).length, 0);
	pass(4500);
	assert.equal(latest().ofType(12).length, 1);
	pass(18_000);
	assert.equal(client.status.state, 'up');
	pass(5000);
	assert.deepEqual([client.status.state, client.status.reason], ['down', 'the broker went silent']);
});

test('commands alone do not keep a connection that says nothing from being checked', (t) => {
	const { client, pass, latest } = open(t);
	client.resume();
	latest().accept();
	for (let i = 0; i < 20; i++) {
		pass(5000);
		client.publish('a', 'renew');
		if (latest().ofType(12).length > i / 6) latest().receive([0xd0, 0]); // answers every ping
	}
	assert.equal(client.status.state, 'up');
	assert.ok(latest().ofType(12).length >= 3, 'pings in 100 s');
});

test('no answer to CONNECT within 10 s is a failure', (t) => {
	const { client, pass } = open(t);
	client.resume();
	pass(10_000);
	assert.equal(client.status.state, 'down');
	assert.equal(sockets[0].closed, 1);
});

test('publish: refused while down, kept on PUBACK, refused when the line breaks', async (t) => {
	const { client, latest } = open(t);
	await assert.rejects(client.publish('a', 'x'), /no connection/);
	client.resume();
	await assert.rejects(client.publish('a', 'x'), /no connection/);
	latest().accept();
	await client.publish('a', 'zero', { retain: true });
	const one = client.publish('a', 'one', { qos: 1 });
	const id = latest().sent.at(-1).slice(-5, -3);
	assert.deepEqual(published(latest()), [
		['a', 'zero'],
		['a', 'one'],
	]);
	assert.equal(latest().ofType(3)[0][0], 0x31);
	latest().receive([0x40, 2, ...id]);
	await one;
	const lost = client.publish('a', 'two', { qos: 1 });
	latest().cut();
	await assert.rejects(lost, /connection lost/);
});

test('QoS 1 without PUBACK is refused after 10 s', async (t) => {
	const { client, pass, latest } = open(t);
	client.resume();
	latest().accept();
	const p = client.publish('a', 'x', { qos: 1 });
	pass(10_000);
	await assert.rejects(p, /did not acknowledge/);
});

test('messages reach exact and wildcard subscribers, QoS 1 is acknowledged', (t) => {
	const { client, latest } = open(t);
	const got = [];
	client.subscribe('cam/+/status', { message: (m) => got.push(['wild', m.topic, m.retain]) });
	client.subscribe('cam/a/status', { message: (m) => got.push(['exact', m.topic, m.retain]) });
	client.resume();
	latest().accept();
	latest().receive(publish({ topic: 'cam/a/status', payload: 'online', qos: 1, retain: true, id: 7 }));
	assert.deepEqual(got, [
		['exact', 'cam/a/status', true],
		['wild', 'cam/a/status', true],
	]);
	assert.deepEqual(latest().sent.at(-1), [0x40, 2, 0, 7]);
	client.unsubscribe('cam/a/status');
	assert.equal(latest().ofType(10).length, 1);
	latest().receive(publish({ topic: 'cam/a/status', payload: 'online' }));
	assert.equal(got.length, 3);
});

test('SUBACK 0x80 is told to its subscriber only', (t) => {
	const { client, latest } = open(t);
	const refused = [];
	client.resume();
	latest().accept();
	for (const f of ['a', 'b/+']) client.subscribe(f, { message() {}, refused: (x) => refused.push(x) });
	const ids = latest()
		.ofType(8)
		.map((p) => p.slice(2, 4));
	latest().receive([0x90, 3, ...ids[1], 0x80, 0x90, 3, ...ids[0], 0]);
	assert.deepEqual(refused, ['b/+']);
});

test('malformed input, text and early packets close the connection and it comes back', (t) => {
	const { client, latest } = open(t);
	client.resume();
	for (const junk of [
		[0xff, 0xff, 0xff, 0xff, 0xff],
		[0x36, 0],
		[0x20, 2, 0, 0],
	]) {
		latest().accept();
		latest().receive(junk);
		assert.equal(client.status.state, 'down');
		assert.match(client.status.reason, /malformed/);
		assert.equal(latest().closed, 1);
		client.nudge();
	}
	latest().accept();
	latest().onmessage({ data: 'text' });
	assert.equal(client.status.state, 'down');
	client.nudge();
	latest().readyState = 1;
	latest().receive(publish({ topic: 'a', payload: 'before connack' }));
	assert.equal(client.status.state, 'down');
	assert.equal(client.counts.malformed, 5);
});

test('a packet half received on one connection does not spoil the next', (t) => {
	const { client, pass, latest } = open(t);
	client.resume();
	latest().accept();
	latest().receive([0x30, 100, 0, 1]);
	latest().cut();
	pass(1000);
	latest().accept();
	assert.equal(client.status.state, 'up');
});

test('suspend says good-bye and stays away; resume connects', (t) => {
	const { client, pass, latest } = open(t);
	client.resume();
	latest().accept();
	client.suspend();
	assert.deepEqual(latest().sent.at(-1), [0xe0, 0]);
	assert.equal(client.status.state, 'idle');
	pass(60_000);
	assert.equal(sockets.length, 1);
	client.nudge();
	assert.equal(sockets.length, 1);
	client.resume();
	assert.equal(sockets.length, 2);
});

test('a handler may end the connection in the middle of a chunk', (t) => {
	const { client, latest } = open(t);
	let n = 0;
	client.subscribe('a', {
		message() {
			n++;
			client.suspend();
		},
	});
	client.resume();
	latest().accept();
	const p = publish({ topic: 'a', payload: 'x' });
	latest().receive([...p, ...p]);
	assert.equal(n, 1);
});

test('matches follows the rules of filters', () => {
	const cases = [
		['a/b', 'a/b', true],
		['a/+', 'a/b', true],
		['a/+', 'a', false],
		['a/+', 'a/b/c', false],
		['a/#', 'a', true],
		['a/#', 'a/b/c', true],
		['+/+', '/x', true],
		['#', '$SYS/x', false],
		['+/x', '$SYS/x', false],
		['$SYS/#', '$SYS/x', true],
		['a/b/+', 'a/b', false],
	];
	for (const [f, topic, want] of cases) assert.equal(matches(f.split('/'), topic.split('/')), want, `${f} ${topic}`);
});
