"""Where observations go: lines of text or JSON, a window, files, MQTT. The web page has a room of its own."""
