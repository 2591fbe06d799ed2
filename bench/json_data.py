"""Makes the files that `bench/run json` reads: a record, a page of 100 and a list of 25 MB, shaped
as Recruitee gives candidates. All people are invented; the bytes are the same every time.

json_data.py FOLDER
"""
import datetime
import json
import pathlib
import sys
import unicodedata

FIRST = ["Ilse", "Bram", "Zoë", "Marek", "Aiko", "Noor", "José", "Lotte", "Émile", "Sven"]
LAST = ["Moerkerk", "Oosterling", "van der Berg", "Kowalski", "Tanaka", "García", "Lindqvist",
        "Dubois"]
START = datetime.datetime(2026, 1, 10, 8)
HOUR, DAY = datetime.timedelta(hours=1), datetime.timedelta(days=1)
BIG_COUNT = 11500

OFFERS = [{"type": "Offer", "id": 120433 + i, "title": title, "kind": "job", "status": "published",
           "slug": f"offer-{i}", "guid": f"q7x2m{i}", "lang_code": "en",
           "location": "Utrecht, Netherlands", "position": i, "department_id": 8841}
          for i, title in enumerate(["Glassblower", "Kiln Engineer", "Furnace Operator",
                                     "Colour Chemist"])]
STAGES = [{"type": "Stage", "id": 910021 + i, "name": name, "category": category,
           "group": {0: "applicants", 4: "hires"}.get(i), "position": i, "locked": True,
           "time_limit": None, "placements_count": None, "fair_evaluations_enabled": False,
           "created_at": "2026-01-10T15:51:13.257801Z", "updated_at": "2026-01-10T15:51:13.257802Z"}
          for i, (name, category) in enumerate(
              zip(["Applied", "Screening", "Interview", "Offer", "Hired"],
                  ["apply", "phone_screen", "interview", "offer", "hire"]))]
ADMINS = [{"type": "Admin", "id": 50017 + i, "first_name": FIRST[i], "last_name": LAST[i],
           "email": f"{FIRST[i].lower()}@kiln.example", "initials": "IM", "has_avatar": False,
           "photo_thumb_url": f"https://files.example/admins/{50017 + i}/thumb.png",
           "time_format24": True, "timezone": "Europe/Amsterdam"} for i in range(2)]
FIELDS = [
    {"id": 44012, "fixed": True, "kind": "skills", "origin": "manual",
     "values": [{"text": "Annealing"}, {"text": "Cold working"}], "visible": True},
    {"id": 44013, "fixed": False, "kind": "dropdown", "name": "Set-up",
     "options": {"values": ["PC", "Mac"]}, "origin": "manual", "values": [{"value": "Mac"}],
     "visible": True},
    {"id": 44014, "fixed": True, "kind": "experience", "origin": "manual",
     "values": [{"title": "Lead blower", "company": "Kiln BV", "start_date": "2020-01",
                 "end_date": None},
                {"title": "Apprentice", "company": "Leerdam", "start_date": "2017-09",
                 "end_date": "2019-12"}], "visible": True},
    {"id": 44015, "fixed": True, "kind": "address", "origin": "manual",
     "values": [{"city": "Utrecht", "country": "Netherlands", "text": "Utrecht, Netherlands"}],
     "visible": True}]


class Chance:
    """The same numbers every time, on every machine."""

    def __init__(self, seed):
        self.seed = seed

    def next(self):
        self.seed = (self.seed * 1103515245 + 12345) & 0xffffffff
        return self.seed / 4294967296

    def pick(self, items):
        return items[int(self.next() * len(items))]

    def time(self, moment):
        return f"{moment:%Y-%m-%dT%H:%M:%S}.000{int(self.next() * 1000):03}Z"


def plain(name):
    return "".join(c for c in unicodedata.normalize("NFD", name) if not unicodedata.combining(c))


def placement(chance, i, k, date):
    stage = chance.pick(STAGES)
    return {"id": 9000000 + i * 10 + k, "candidate_id": 7300412 + i,
            "offer_id": chance.pick(OFFERS)["id"], "stage_id": stage["id"], "position": k,
            "created_at": chance.time(date + k * DAY),
            "updated_at": chance.time(date + (k + 2) * DAY),
            "hired_at": chance.time(date + 5 * DAY) if stage["name"] == "Hired" else None,
            "hired_by_id": None,
            "disqualified_at": chance.time(date + 4 * DAY) if chance.next() < .3 else None,
            "disqualify_reason": None, "job_starts_at": None, "language": None,
            "overdue_at": None, "ratings": {}}


def rating(chance):
    tenths = int(chance.next() * 50 + .5)
    return tenths // 10 if tenths % 10 == 0 else tenths / 10


def candidate(chance, i):
    first, last = chance.pick(FIRST), chance.pick(LAST)
    ident, date, lower = 7300412 + i, START + i * HOUR, first.lower()
    placements = 1 + int(chance.next() * 2)
    return {
        "id": ident, "name": f"{first} {last}", "initials": first[0] + last[0],
        "emails": [f"{plain(first).lower()}@"
                   + chance.pick(["gmail.com", "outlook.com", "kiln.example"]),
                   f"Work.{plain(first)}@Studio.example"],
        "phones": [f"+31 6 0000 00{10 + i % 90}", f"+1 (555) 010-0{100 + i % 900}"],
        "links": [f"https://{lower}.example"],
        "social_links": [f"https://www.linkedin.com/in/{lower}-x", f"https://github.com/{lower}"],
        "tags": ["Senior", "EU work permit", chance.pick(["Relocation", "Remote", "Referral"])],
        "sources": ["Careers site", "Referral"],
        "source": chance.pick(["career_site", "manual", "import"]),
        "referrer": "Aiko Tanaka" if chance.next() < .3 else None,
        "cover_letter": f'Dear team, "glass" is my life.\nKind regards,\t{first}',
        "cv_url": f"https://files.example/{ident}/pdf_cv.pdf",
        "cv_original_url": f"https://files.example/{ident}/cv.docx" if chance.next() < .5 else None,
        "photo_thumb_url": f"https://files.example/{ident}/thumb.jpg", "fields": FIELDS,
        "placements": [placement(chance, i, k, date) for k in range(placements)],
        "admin_id": chance.pick(ADMINS)["id"], "rating": rating(chance),
        "ratings_count": int(chance.next() * 4), "attachments_count": int(chance.next() * 3),
        "notes_count": 1, "gdpr_status": chance.pick(["no_consent", "agreed"]),
        "is_anonymous": False, "example": False,
        "adminapp_url": "https://app.recruitee.com/#/dashboard/overview?candidate="
                        f"{ident}&company=89564",
        "created_at": chance.time(date), "updated_at": chance.time(date + 250 * HOUR),
        "last_activity_at": chance.time(date + 250 * HOUR + 50000 * DAY / 86400),
        "last_message_at": None}


def page(seed, count):
    chance = Chance(seed)
    return {"candidates": [candidate(chance, i) for i in range(count)],
            "references": OFFERS + STAGES + ADMINS}


def record():
    """One record, with the references it uses only, as the API gives it."""
    one = candidate(Chance(12345), 0)
    used = {one["admin_id"]}
    for place in one["placements"]:
        used |= {place["offer_id"], place["stage_id"]}
    return {"candidate": one,
            "references": [r for r in OFFERS + STAGES + ADMINS if r["id"] in used]}


def make(folder):
    """Writes the files; returns their paths by name."""
    makers = {"record": record, "page": lambda: page(777, 100),
              "25mb": lambda: page(4242, BIG_COUNT)}
    paths = {name: pathlib.Path(folder) / f"{name}.json" for name in makers}
    for name, path in paths.items():
        path.write_text(json.dumps(makers[name](), ensure_ascii=False, separators=(",", ":")),
                        encoding="utf-8")
    return paths


if __name__ == "__main__":
    make(sys.argv[1])
