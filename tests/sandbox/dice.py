"""Chance that always falls the same way: everything about a lead follows from its ID."""

import hashlib
import random

WORDS = (
    "call lead owner truck loan invoice statement renewal harbour container freight quote "
    "review portal upload document meeting follow answer question schedule carrier broker "
    "office deposit account monthly yearly revenue business partner contract signature "
    "morning afternoon tomorrow waiting approved pending missing complete update"
).split()
FIRST_NAMES = ("John", "Amara", "Søren", "José", "Zoë", "Nguyễn", "Łukasz", "Maria", "Wei", "Olga",
               "Siobhán", "Tariq", "Björn", "Chloé", "李", "Priya")
LAST_NAMES = ("Doe", "O'Brien", "Müller", "García", "Smith-Jones", "van der Berg", "Åkesson",
              "Nowak", "陈", "Okafor", "D’Angelo", "Ng", "Šimić", "Ivanova")
COMPANIES = ("Pacific Coast Container Haulers", "Größe & Söhne GmbH", "Smith, Jones and Partners",
             "Blue \"Whale\" Logistics", "Café Übermut", "Northwind Traders; Ltd", "丸山運輸",
             "Acme Freight", "Sunrise Bakery", "R&D Labs", "Delta <Fast> Couriers")
STREETS = ("Harbor Blvd", "Main Street", "Rue de l'Église", "Königsallee", "5th Avenue", "Calle Mayor")
CITIES = ("Long Beach", "München", "Oakland", "São Paulo", "Kraków", "Leeds")
STATES = ("CA", "BY", "SP", "NY", "MA", "")


class Dice:
    """Seeded by text.  Uses only what every Python since 3.2 draws alike."""

    def __init__(self, *parts):
        text = "\0".join(str(part) for part in parts)
        digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
        source = random.Random(int.from_bytes(digest, "big"))
        self.unit = source.random
        self.bits = source.getrandbits

    def chance(self, share):
        return self.unit() < share

    def below(self, limit):
        return int(self.unit() * limit)

    def between(self, low, high):
        """A whole number, both ends included."""
        return low + int(self.unit() * (high - low + 1))

    def pick(self, options):
        return options[int(self.unit() * len(options))]

    def maybe(self, value, share=0.5):
        """`value`, or None."""
        return value if self.unit() < share else None

    def some(self, options, count):
        """`count` different ones, in their own order."""
        left = list(range(len(options)))
        chosen = sorted(left.pop(self.below(len(left))) for _ in range(min(count, len(left))))
        return [options[i] for i in chosen]

    def uuid(self):
        h = "%032x" % self.bits(128)
        return "%s-%s-4%s-a%s-%s" % (h[:8], h[8:12], h[13:16], h[17:20], h[20:])

    def short_id(self, prefix):
        return "%s-%08x" % (prefix, self.bits(32))

    def moment(self):
        """An ISO 8601 time in 2025 or 2026."""
        return "20%d-%02d-%02dT%02d:%02d:%02d.%03dZ" % (
            self.between(25, 26), self.between(1, 12), self.between(1, 28),
            self.below(24), self.below(60), self.below(60), self.below(1000))

    def sentence(self, least=4, most=12):
        words = [self.pick(WORDS) for _ in range(self.between(least, most))]
        return " ".join(words).capitalize() + "."

    def phone(self):
        return "+1%03d%07d" % (self.between(201, 989), self.bits(23))

    def email(self):
        return "%s.%s%d@example.com" % (self.pick(WORDS), self.pick(WORDS), self.below(1000))
