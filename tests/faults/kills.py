"""When and how the legs of a run end: kills, stops, failing disks; and the dice that choose them."""

import signal

import powercut

RENAMES = 16  # about as many as there are at the end
ERRORS = ("ENOSPC", "EIO", "EDQUOT", "EROFS", "EACCES", "EFBIG")


class Kill:
    """A signal after so long, and perhaps again soon after; or what faultfs.so does at a call on the disk."""

    def __init__(self, after_s=None, number=signal.SIGKILL, again_s=None, rules=None, variant=None):
        self.after_s, self.number, self.again_s = after_s, number, again_s
        self.rules, self.variant = rules, variant

    @property
    def fails(self):
        """It is no kill: calls fail."""
        return self.rules is not None and "fail=" in self.rules

    @property
    def stops(self):
        """It lets what is in flight end."""
        return self.rules is None and self.number == signal.SIGTERM and self.again_s is None

    def __str__(self):
        if self.rules is not None:
            words = [self.rules.replace("op=", "").replace("from=", "").replace("kill=", "")]
        else:
            words = ["%.3fs" % self.after_s, "" if self.number == signal.SIGKILL else signal.Signals(self.number).name,
                     "" if self.again_s is None else "and once more %.3fs later" % self.again_s]
        return ", ".join(word for word in words + [self.variant] if word)


def moment(dice, duration_s):
    """More often than by chance the very beginning."""
    return dice.uniform(0, 0.1) if dice.random() < 0.15 else dice.uniform(0, duration_s)


def kill_by_rule(dice):
    """More often than by chance the publishing, and what makes the state durable."""
    roll, when = dice.random(), dice.choice(["before", "after", "mid"])
    if roll < 0.35:
        return Kill(rules="op=rename from=%d kill=%s" % (dice.randint(1, RENAMES), when))
    if roll < 0.6:
        return Kill(rules="op=sync from=%d kill=%s" % (2 ** dice.uniform(0, 8), when))
    if roll < 0.75:
        return Kill(rules="op=any path=*run.state* from=%d kill=%s" % (2 ** dice.uniform(0, 12), when))
    return Kill(rules="op=any from=%d kill=%s" % (2 ** dice.uniform(0, 14), when))


def failing_disk(dice):
    """One call, or all from there on."""
    number = 2 ** dice.uniform(0, 12)
    only = dice.choice(["to=%d " % number, ""])
    return Kill(rules="op=any from=%d %sfail=%s" % (number, only, dice.choice(ERRORS)))


def random_kill(dice, duration_s, kind):
    """`kind`: KILL, TERM, or MIXED: these, impatient stops and failing disks."""
    roll = dice.random()
    if kind == "TERM" or (kind == "MIXED" and roll < 0.25):
        return Kill(after_s=moment(dice, duration_s), number=signal.SIGTERM)
    if kind == "MIXED" and roll < 0.4:
        return Kill(after_s=moment(dice, duration_s), number=signal.SIGTERM, again_s=dice.uniform(0, 0.05))
    if kind == "MIXED" and roll < 0.7:
        return failing_disk(dice)
    return kill_by_rule(dice) if dice.random() < 0.4 else Kill(after_s=moment(dice, duration_s))


def random_kills(dice, most, duration_s, kind, power_cut):
    """Between one and `most` of them."""
    kills = [random_kill(dice, duration_s, kind) for _ in range(dice.randint(1, most))]
    for kill in kills:
        kill.variant = dice.choice(powercut.VARIANTS) if power_cut else None
    return kills
