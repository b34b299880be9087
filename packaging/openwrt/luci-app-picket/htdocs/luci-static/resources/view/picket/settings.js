'use strict';
'require view';
'require form';

/* Eight settings of /etc/config/picket; the file can hold every other key of picket.toml, too. The daemon checks all of it: what is
   wrong stands in the log, and `/etc/init.d/picket check` lists it. */

return view.extend({
	render: function() {
		const map = new form.Map('picket', _('Picket'), _('Intrusion detection for the MQTT traffic of this router.'));
		let section, option;

		section = map.section(form.NamedSection, 'service', 'service', _('Service'));
		option = section.option(form.Flag, 'enabled', _('Enabled'));
		option.rmempty = false;

		section = map.section(form.NamedSection, 'capture', 'capture', _('Capture'));
		option = section.option(form.DynamicList, 'interfaces', _('Interfaces'),
			_('Devices, not networks: br-lan is where brokers and clients on the LAN meet; lo, if the broker runs here.'));
		option.datatype = 'maxlength(15)';
		option.rmempty = false;
		option = section.option(form.Value, 'buffer_mib', _('Buffer'), _('MiB of memory for each interface.'));
		option.datatype = 'range(1,1024)';
		option.placeholder = '4';

		section = map.section(form.NamedSection, 'store', 'store', _('Stored alerts'));
		option = section.option(form.Value, 'path', _('Folder'),
			_('Below /var alerts end with the power; on flash, such as in /etc/picket/store, they wear it.'));
		option.datatype = 'directory';
		option.placeholder = '/var/lib/picket';
		option = section.option(form.Value, 'byte_budget', _('Size'), _('64KiB to 1GiB; the oldest alerts go first.'));
		option.validate = function(name, value) {
			return value === '' || /^[0-9]+(KiB|MiB|GiB)?$/.test(value) || _('A number, or one with KiB, MiB or GiB');
		};
		option.placeholder = '1MiB';

		section = map.section(form.NamedSection, 'publish', 'publish', _('Where alerts go'));
		option = section.option(form.Value, 'broker', _('Broker'), _('mqtt://HOST or mqtts://HOST; empty: alerts are only stored.'));
		option.validate = function(name, value) {
			return value === '' || /^mqtts?:\/\/[^\/\s]+$/.test(value) || _('mqtt://HOST[:PORT] or mqtts://HOST[:PORT]');
		};
		/* An empty text is a choice of its own; without the option the default would hold. */
		option.rmempty = false;
		option.optional = true;
		option.write = function(id, value) {
			return this.map.data.set(this.map.config, id, 'broker', value);
		};
		option.remove = function(id) {
			return this.map.data.set(this.map.config, id, 'broker', '');
		};
		section.option(form.Value, 'user', _('User'));
		option = section.option(form.Value, 'password_file', _('Password file'),
			_('Its first line is the password; for the user picket alone to read.'));
		option.datatype = 'file';

		return map.render();
	}
});
