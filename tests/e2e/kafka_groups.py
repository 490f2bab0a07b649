"""Consumer groups of the broker of kafka_broker.py: who is a member, in which generation, and what it commits.

The members agree on who gets what among themselves, as in Kafka: the broker only passes on what they say.
"""

import threading
import time

from kafka_wire import array, blob, number, text

ILLEGAL_GENERATION, UNKNOWN_MEMBER, SESSION_TIMEOUT, REBALANCE, FENCED_INSTANCE = 22, 25, 26, 27, 82
DELAY = 0.05  # in which members of a new group may join it


class Member:
    def __init__(self, name, instance):
        self.name, self.instance = name, instance
        self.session = self.seen = 0.0
        self.protocols, self.assignment = {}, b""
        self.joined = False  # in the generation that is being made


class Group:
    def __init__(self, lock):
        self.members, self.generation, self.leader = {}, 0, None
        self.is_stable, self.has_assignments = False, False
        self.changed = threading.Condition(lock)
        self.count = 0

    def rebalance(self):
        self.is_stable = self.has_assignments = False
        self.changed.notify_all()

    def expire(self):
        """Members that were not heard of for too long are gone.  One that waits for the others is there."""
        now = time.monotonic()
        gone = [one for one in self.members.values() if not one.joined and now - one.seen > one.session]
        for one in gone:
            del self.members[one.name]
        if gone and self.is_stable:
            self.rebalance()

    def settle(self):
        """All members have joined: the next generation."""
        if self.is_stable or not self.members or not all(one.joined for one in self.members.values()):
            return
        self.generation += 1
        self.is_stable, self.has_assignments = True, False
        self.leader = self.leader if self.leader in self.members else next(iter(self.members))
        now = time.monotonic()
        for one in self.members.values():
            one.joined, one.seen, one.assignment = False, now, b""
        self.changed.notify_all()

    def protocol(self):
        common = set.intersection(*(set(one.protocols) for one in self.members.values()))
        return next(name for name in self.members[self.leader].protocols if name in common)

    def fault(self, name, generation, instance=None):
        """What is wrong with a request of a member."""
        self.expire()
        if instance is not None and any(one.instance == instance and one.name != name for one in self.members.values()):
            return FENCED_INSTANCE
        if name not in self.members:
            return UNKNOWN_MEMBER
        return 0 if generation == self.generation else ILLEGAL_GENERATION


class Groups:
    """A part of the broker: self._lock, self.offsets, self.groups."""

    session_ms_min = 0  # Kafka: group.min.session.timeout.ms

    def group(self, name):
        with self._lock:
            return self.groups.setdefault(name, Group(self._lock))

    def members(self, name):
        """How many members a group has now."""
        group = self.group(name)
        with self._lock:
            group.expire()
            return len(group.members)

    def _join_group(self, request):
        group = self.group(request.text())
        session, _ = request.number("i"), request.number("i")
        name, instance, _ = request.text(), request.text(), request.text()
        protocols = dict(request.array(lambda: (request.text(), request.blob())))
        with self._lock:
            if session < self.session_ms_min:
                return self._joined(SESSION_TIMEOUT, group, name)
            for old in [one for one in group.members.values() if instance is not None and one.instance == instance]:
                if old.name != name:
                    del group.members[old.name]
            if name and name not in group.members:
                return self._joined(UNKNOWN_MEMBER, group, name)
            if not name:
                group.count += 1
                name = "member-%d" % group.count
            member = group.members.setdefault(name, Member(name, instance))
            member.session, member.protocols, member.joined = session / 1000, protocols, True
            member.seen = time.monotonic()
            is_new_group = len(group.members) == 1
            group.rebalance()
            if is_new_group:
                group.changed.wait(DELAY)
            while member.joined and name in group.members:
                group.expire()
                group.settle()
                if member.joined:
                    group.changed.wait(0.05)
            return self._joined(0 if name in group.members else UNKNOWN_MEMBER, group, name)

    @staticmethod
    def _joined(error, group, name):
        if error:
            return number("i", 0) + number("h", error) + number("i", -1) + text("") + text("") + text(name) + array([])
        protocol = group.protocol()
        shown = [] if name != group.leader else [text(one.name) + text(one.instance) + blob(one.protocols[protocol])
                                                 for one in group.members.values()]
        return (number("i", 0) + number("h", 0) + number("i", group.generation) + text(protocol) + text(group.leader) +
                text(name) + array(shown))

    def _sync_group(self, request):
        group = self.group(request.text())
        generation, name, instance = request.number("i"), request.text(), request.text()
        assignments = request.array(lambda: (request.text(), request.blob()))
        with self._lock:
            error = group.fault(name, generation, instance)
            if not error and name == group.leader:
                for one, assignment in assignments:
                    if one in group.members:
                        group.members[one].assignment = assignment
                group.has_assignments = True
                group.changed.notify_all()
            while not error and not group.has_assignments:
                if not group.is_stable:
                    error = REBALANCE
                    break
                group.changed.wait(0.05)
                error = group.fault(name, generation, instance)
            assignment = b"" if error else group.members[name].assignment
        return number("i", 0) + number("h", error) + blob(assignment)

    def _heartbeat(self, request):
        group = self.group(request.text())
        generation, name, instance = request.number("i"), request.text(), request.text()
        with self._lock:
            error = group.fault(name, generation, instance)
            if name in group.members:
                group.members[name].seen = time.monotonic()
            return number("i", 0) + number("h", error or (0 if group.is_stable else REBALANCE))

    def _leave_group(self, request):
        group, name = self.group(request.text()), request.text()
        with self._lock:
            error = 0 if group.members.pop(name, None) else UNKNOWN_MEMBER
            group.rebalance()
        return number("i", 0) + number("h", error)

    def _offset_commit(self, request):
        name = request.text()
        group = self.group(name)
        generation, member, instance = request.number("i"), request.text(), request.text()
        asked = request.array(lambda: (request.text(), request.array(
            lambda: (request.number("i"), request.number("q"), request.number("i"), request.text()))))
        with self._lock:
            error = 0 if generation < 0 and not group.members else group.fault(member, generation, instance)
            for topic, parts in asked if not error else ():
                for i, offset, _, _ in parts:
                    self.offsets[name, topic, i] = offset
        return number("i", 0) + array([text(topic) + array([number("i", one[0]) + number("h", error) for one in parts])
                                       for topic, parts in asked])
