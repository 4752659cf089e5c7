"""How gates that speak from the controller take their samples: over HTTP, or by a command.

`orchestrator.gates.probes` has the entry; checks on devices are the engine's (`device.check`).
"""
