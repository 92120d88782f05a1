-- library: the functions by name. ALLOW_OOM: what must work when Redis is full, so that it can get emptier; what brings
-- new messages in has no flag. READ: may run on a full Redis too, and never writes.
local BRINGS, ALLOW_OOM, READ = {}, { 'allow-oom' }, { 'no-writes' }

local function register(name, callback, flags)
  redis.register_function { function_name = LIBRARY .. '_' .. name, callback = callback, flags = flags }
end

register('accept', accept.accept, BRINGS)
register('adopt', accept.adopt, BRINGS)
register('keep', accept.keep, BRINGS)

register('claim', own.claim, ALLOW_OOM)
register('takeup', own.takeup, ALLOW_OOM)

register('settle', settle.settle, ALLOW_OOM)
register('defer', settle.defer, ALLOW_OOM)
register('bounce', settle.bounce, ALLOW_OOM)
register('withdraw', settle.withdraw, ALLOW_OOM)

register('news', news.read, READ)
register('seen', news.seen, ALLOW_OOM)

register('recover', grace.recover, ALLOW_OOM)
register('asserted', grace.asserted, ALLOW_OOM)

register('sweep', sweep.sweep, ALLOW_OOM)
register('trim', sweep.trim, ALLOW_OOM)
register('repair', sweep.repair, ALLOW_OOM)

register('hold', operator.hold, ALLOW_OOM)
register('release', operator.release, ALLOW_OOM)
register('cancel', operator.cancel, ALLOW_OOM)

register('list', view.list, READ)
register('show', view.show, READ)
register('status', view.status, READ)
register('age', view.age, READ)

register('open', registry.open, ALLOW_OOM)
register('register', registry.register, ALLOW_OOM)
register('renew', registry.renew, ALLOW_OOM)
register('kill', registry.kill, ALLOW_OOM)
register('settled', registry.settled, ALLOW_OOM)
register('lead', registry.lead, ALLOW_OOM)
register('forget', registry.forget, ALLOW_OOM)
register('drain', registry.drain, ALLOW_OOM)
register('nodes', registry.nodes, READ)

register('tickets', tickets.read, READ)
register('tickets_turn', tickets.turn, ALLOW_OOM)

register('policy_put', policy.put, ALLOW_OOM)
register('policy_restore', policy.restore, ALLOW_OOM)
register('policy_get', policy.get, READ)
register('policy_history', policy.history, READ)

register('secret_put', secret.put, ALLOW_OOM)
register('secret_remove', secret.remove, ALLOW_OOM)
register('secret_list', secret.list, READ)

-- On a full Redis these are refused, and the node's share decides.
register('take', limit.take, BRINGS)
register('refund', limit.refund, BRINGS)
register('peek', limit.peek, READ)

register('attempt', abuse.attempt, BRINGS)
register('ended', abuse.ended, ALLOW_OOM)
register('failed', abuse.failed, BRINGS)
register('ban', abuse.ban, ALLOW_OOM)
register('unban', abuse.unban, ALLOW_OOM)
register('bans', abuse.bans, READ)

register('places', clients.places, BRINGS)

-- Small and bounded, and what they know lets mail out.
register('hop_report', hops.report, ALLOW_OOM)
register('hop_probe', hops.probe, ALLOW_OOM)
register('hop_board', hops.board, READ)

register('slots', slots.hold, ALLOW_OOM)
register('slot_list', slots.list, READ)

register('daily_get', daily.get, READ)
register('daily_put', daily.put, BRINGS)

register('tls_count', tls.count, BRINGS)
register('tls_claim', tls.claim, ALLOW_OOM)
register('tls_told', tls.told, ALLOW_OOM)
register('tls_done', tls.done, ALLOW_OOM)

-- A full Redis is to be told of.
register('alerts_tell', alerts.tell, BRINGS)
register('alerts_look', alerts.look, ALLOW_OOM)
register('alerts_put', alerts.put, ALLOW_OOM)
register('alerts_outbox', alerts.outbox, READ)
register('alerts_given', alerts.given, ALLOW_OOM)
register('alerts_silence', alerts.silence, ALLOW_OOM)
register('alerts_list', alerts.list, READ)
register('alerts_test', alerts.test, ALLOW_OOM)
register('alerts_tested', alerts.tested, ALLOW_OOM)
register('alerts_outcome', alerts.outcome, READ)

-- On a full Redis each node fetches for itself.
register('shelf_read', shelf.read, READ)
register('shelf_claim', shelf.claim, BRINGS)
register('shelf_put', shelf.put, BRINGS)
register('shelf_failed', shelf.failed, BRINGS)

-- On a full Redis events wait where they come from.
register('track_put', track.put, BRINGS)
register('track_list', track.list, READ)
