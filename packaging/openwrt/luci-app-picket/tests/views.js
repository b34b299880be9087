// Runs the pages with stand-ins for LuCI: `node views.js`. What is drawn, what is asked, and that nothing of the network is markup.
'use strict';
const assert = require('node:assert');
const fs = require('node:fs');
const path = require('node:path');

const VIEWS = path.join(__dirname, '../htdocs/luci-static/resources/view/picket');

// An element as LuCI's E() makes it: texts stay texts.
function E(tag, attributes, children) {
	assert.ok(Array.isArray(children) || children === undefined, `${tag}: a lone text would be taken for markup`);
	return { tag, attributes: attributes || {}, children: children || [] };
}

function texts(node) {
	return typeof node === 'string' ? [ node ] : node.children.flatMap(texts);
}

function all(node, tag) {
	if (typeof node === 'string') return [];
	return (node.tag === tag ? [ node ] : []).concat(node.children.flatMap((child) => all(child, tag)));
}

// Loads a page as LuCI does: its text is the body of a function, `'require x'` gives the names.
function load(name, answers) {
	const source = fs.readFileSync(path.join(VIEWS, `${name}.js`), 'utf8');
	const calls = [], polls = [];
	const options = [];
	const rpc = {
		declare: ({ object, method, params }) => (...values) => {
			assert.equal(object, 'luci.picket');
			calls.push([ method, ...values ]);
			assert.equal(values.length, (params || []).length);
			return Promise.resolve(answers[method]);
		}
	};
	const kinds = [ 'NamedSection', 'Flag', 'DynamicList', 'Value' ];
	const form = Object.fromEntries(kinds.map((kind) => [ kind, kind ]));
	form.Map = function(config) {
		this.config = config;
		this.data = { set: (...values) => calls.push([ 'set', ...values ]) };
		this.section = (kind, section) => ({
			option: (kind, name) => {
				const option = { kind, section, name, map: this };
				options.push(option);
				return option;
			}
		});
		this.render = () => E('form', {}, []);
	};
	const modules = {
		view: { extend: (page) => page },
		rpc,
		form,
		poll: { add: (call, every) => polls.push([ call, every ]) },
		dom: { content: (node, child) => { node.children = [ child ]; } }
	};
	const required = [ ...source.matchAll(/^'require (\w+)';$/gm) ].map((found) => found[1]);
	for (const module of required) assert.ok(module in modules, module);
	const body = new Function('E', '_', ...required, source);
	const page = body(E, (text) => text, ...required.map((module) => modules[module]));
	return { page, calls, polls, options };
}

async function status() {
	const answer = {
		sensor: 'gw', version: '0.1.0', since: 's', models: [],
		health: { capture: { state: 'blind', reason: 'br-lan: <b>down</b>' }, store: { state: 'ok', reason: null } },
		delivery: { stored: 3, pending: 1, lost: 0 }
	};
	const report = { findings: [ { id: 'capture.down', severity: 'bad', message: 'is down', remedy: 'up' } ] };
	const { page, calls, polls } = load('status', { status: answer, doctor: report });
	const node = page.render(await page.load());
	assert.ok(texts(node).includes('blind: br-lan: <b>down</b>'));
	assert.ok(texts(node).includes('none') && texts(node).includes('0'));
	assert.equal(polls.length, 1);
	await polls[0][0]();
	assert.deepEqual(calls, [ [ 'status' ], [ 'status' ] ]);
	await all(node, 'button')[0].attributes.click();
	assert.ok(texts(node).includes('is down -> up'));
	assert.ok(texts(page.table({ error: 'not running' })).includes('not running'));
}

async function alerts() {
	const one = (seq) => ({ seq, ts: `t${seq}`, severity: 'high', class: 'tcp_scan', message: `<i>${seq}</i>`, count: 2, state: 'open' });
	const { page, calls } = load('alerts', { alerts: { acknowledged: 7, alerts: [ one(7), one(8) ] }, acknowledge: { acknowledged: 8 } });
	const node = page.render(await page.load());
	const rows = all(node, 'tr').slice(1);
	assert.deepEqual(rows.map((row) => texts(row)[0]), [ 't8', 't7' ]);
	assert.deepEqual(rows.map((row) => row.attributes.style !== ''), [ true, false ]);
	assert.ok(texts(node).includes('<i>8</i>'));
	await all(node, 'button')[0].attributes.click();
	assert.deepEqual(calls, [ [ 'alerts' ], [ 'acknowledge', 8 ], [ 'alerts' ] ]);
	assert.deepEqual(texts(page.table({ acknowledged: 0, alerts: [] })), [ 'There are no alerts.' ]);
	assert.ok(texts(page.table({ error: 'no store' })).includes('no store'));
}

function settings() {
	const { page, options, calls } = load('settings', {});
	page.render();
	const names = options.map((option) => `${option.section}.${option.name}`);
	assert.deepEqual(names, [
		'service.enabled', 'capture.interfaces', 'capture.buffer_mib', 'store.path', 'store.byte_budget',
		'publish.broker', 'publish.user', 'publish.password_file'
	]);
	const named = (name) => options.find((option) => option.name === name);
	for (const [ name, good, bad ] of [
		[ 'byte_budget', [ '', '65536', '1MiB' ], [ 'much', '1 MiB', '1MB' ] ],
		[ 'broker', [ '', 'mqtt://10.0.0.1', 'mqtts://b.example:8883' ], [ 'http://b', 'mqtt://', 'mqtt://a b' ] ]
	]) {
		for (const value of good) assert.equal(named(name).validate('x', value), true, value);
		for (const value of bad) assert.equal(typeof named(name).validate('x', value), 'string', value);
	}
	named('broker').remove('publish');
	assert.deepEqual(calls, [ [ 'set', 'picket', 'publish', 'broker', '' ] ]);
	// Every option is one that the shipped configuration's sections have.
	const shipped = fs.readFileSync(path.join(__dirname, '../../picket/files/picket.config'), 'utf8');
	for (const option of options)
		assert.match(shipped, new RegExp(`^config ${option.section} '${option.section}'$`, 'm'));
}

async function main() {
	await status();
	await alerts();
	settings();
	console.log('luci: 3 pages');
}

main().catch((error) => {
	console.error(error);
	process.exit(1);
});
