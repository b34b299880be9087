'use strict';
'require view';
'require rpc';
'require poll';
'require dom';

/* The newest alerts, newest first; those that nobody has seen to yet stand out. */

const callAlerts = rpc.declare({ object: 'luci.picket', method: 'alerts' });
const callAcknowledge = rpc.declare({ object: 'luci.picket', method: 'acknowledge', params: [ 'seq' ] });

/* Seconds between two looks at the store. */
const EVERY = 5;

const COLUMNS = [ 'ts', 'state', 'severity', 'class', 'count', 'message' ];

return view.extend({
	load: function() {
		return callAlerts();
	},

	table: function(answer) {
		if (answer.error)
			return E('div', { 'class': 'alert-message warning' }, [ answer.error ]);
		const alerts = (answer.alerts || []).slice().reverse();
		if (alerts.length === 0)
			return E('p', {}, [ _('There are no alerts.') ]);
		const head = E('tr', { 'class': 'tr table-titles' }, COLUMNS.map(function(column) {
			return E('th', { 'class': 'th' }, [ column ]);
		}));
		/* Text children are set as text by E(), so nothing that came over the network becomes markup. */
		return E('table', { 'class': 'table' }, [ head ].concat(alerts.map(function(alert) {
			const open = alert.seq > answer.acknowledged;
			return E('tr', { 'class': 'tr', 'style': open ? 'font-weight:bold' : '' }, COLUMNS.map(function(column) {
				const value = alert[column];
				return E('td', { 'class': 'td left' }, [ value == null ? '' : String(value) ]);
			}));
		})));
	},

	/* The number up to which all that is shown has been seen to. */
	newest: function(answer) {
		return (answer.alerts || []).reduce(function(most, alert) {
			return Math.max(most, alert.seq || 0);
		}, 0);
	},

	render: function(answer) {
		const self = this;
		const shown = E('div', {}, [ this.table(answer) ]);
		let newest = this.newest(answer);
		const refresh = function() {
			return callAlerts().then(function(answer) {
				newest = self.newest(answer);
				dom.content(shown, self.table(answer));
			});
		};
		poll.add(refresh, EVERY);
		return E('div', {}, [
			E('h2', {}, [ _('Alerts') ]),
			E('button', {
				'class': 'btn cbi-button cbi-button-apply',
				'click': function() {
					return callAcknowledge(newest).then(refresh);
				}
			}, [ _('Acknowledge all shown') ]),
			shown
		]);
	},

	handleSave: null,
	handleSaveApply: null,
	handleReset: null
});
