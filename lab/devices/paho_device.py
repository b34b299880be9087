"""A device of picket-lab with the paho client: says what it is told.

First line of the input: how to connect, as a JSON object. Each other line: one message. At the end of the input
it leaves, and prints what it did.
"""

import json
import sys

import paho.mqtt.client as mqtt


def main():
    options = json.loads(sys.stdin.readline())
    tally = {"sessions": 0, "refused": 0, "broken": 0, "published": 0, "received": 0}

    modern = options["version"] == 5
    more = {} if modern else {"clean_session": options["clean"]}
    client = mqtt.Client(
        mqtt.CallbackAPIVersion.VERSION2,
        client_id=options["client_id"],
        protocol=mqtt.MQTTv5 if modern else mqtt.MQTTv311,
        **more,
    )
    if options["username"] is not None:
        client.username_pw_set(options["username"], options["password"])

    def on_connect(client, _userdata, _flags, reason, _properties):
        if reason.is_failure:
            tally["refused"] += 1
            return
        tally["sessions"] += 1
        for topic in options["filters"]:
            client.subscribe(topic)

    def on_disconnect(_client, _userdata, _flags, reason, _properties):
        tally["broken"] += int(reason.is_failure)

    def on_message(_client, _userdata, _message):
        tally["received"] += 1

    client.on_connect = on_connect
    client.on_disconnect = on_disconnect
    client.on_message = on_message
    client.reconnect_delay_set(1, 5)
    client.connect_async(options["host"], options["port"], options["keep_alive"], bind_address=options["from"])
    client.loop_start()
    for line in sys.stdin:
        message = json.loads(line)
        sent = client.publish(message["topic"], message["payload"], message["qos"], message["retain"])
        tally["published"] += int(sent.rc == mqtt.MQTT_ERR_SUCCESS)
    client.disconnect()
    client.loop_stop()
    print(json.dumps(tally))


if __name__ == "__main__":
    main()
