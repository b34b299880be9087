'use strict';
'require view';
'require rpc';
'require poll';
'require dom';

/* How the daemon is, and on request what the doctor says of the router. */

const callStatus = rpc.declare({ object: 'luci.picket', method: 'status' });
const callDoctor = rpc.declare({ object: 'luci.picket', method: 'doctor' });

/* Seconds between two looks at the daemon. */
const EVERY = 5;

/* Text children are set as text by E(), so nothing that came over the network becomes markup. */
function row(name, value) {
	return E('tr', { 'class': 'tr' }, [
		E('td', { 'class': 'td left', 'width': '33%' }, [ name ]),
		E('td', { 'class': 'td left' }, [ value == null ? '-' : String(value) ])
	]);
}

function parts(status) {
	const health = status.health || {};
	return Object.keys(health).sort().map(function(part) {
		const one = health[part] || {};
		return row(part, one.reason ? one.state + ': ' + one.reason : one.state);
	});
}

return view.extend({
	load: function() {
		return callStatus();
	},

	table: function(status) {
		if (status.error)
			return E('div', { 'class': 'alert-message warning' }, [ status.error ]);
		const delivery = status.delivery || {};
		return E('table', { 'class': 'table' }, [
			row(_('Sensor'), status.sensor),
			row(_('Version'), status.version),
			row(_('Running since'), status.since),
			row(_('Models'), (status.models || []).join(', ') || _('none'))
		].concat(parts(status), [
			row(_('Alerts stored'), delivery.stored),
			row(_('Alerts not yet published'), delivery.pending),
			row(_('Alerts lost'), delivery.lost)
		]));
	},

	findings: function(report) {
		if (report.error)
			return E('div', { 'class': 'alert-message warning' }, [ report.error ]);
		return E('table', { 'class': 'table' }, (report.findings || []).map(function(finding) {
			const text = finding.remedy ? finding.message + ' -> ' + finding.remedy : finding.message;
			return row(finding.severity + '  ' + finding.id, text);
		}));
	},

	render: function(status) {
		const self = this;
		const now = E('div', {}, [ this.table(status) ]);
		const found = E('div', {});
		poll.add(function() {
			return callStatus().then(function(status) {
				dom.content(now, self.table(status));
			});
		}, EVERY);
		return E('div', {}, [
			E('h2', {}, [ _('Picket') ]),
			now,
			E('button', {
				'class': 'btn cbi-button',
				'click': function() {
					return callDoctor().then(function(report) {
						dom.content(found, self.findings(report));
					});
				}
			}, [ _('What can this router see?') ]),
			found
		]);
	},

	handleSave: null,
	handleSaveApply: null,
	handleReset: null
});
