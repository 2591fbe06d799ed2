/* The fields that a list of candidates tells, mapped by hand: what somebody writes who needs it fast. */
'use strict';

const ORIGINS = {
  career_site: 'applied', email: 'applied', manual: 'sourced', sourcing: 'sourced',
  referral: 'referred', import: 'imported', imported: 'imported',
};
const CATEGORIES = { apply: 'applied', hire: 'hired' };

function indexOf(references) {
  const index = new Map();
  for (const r of references) index.set(r.type + r.id, r);
  return index;
}

function person(index, id) {
  const admin = index.get('Admin' + id);
  return { id, name: admin ? admin.first_name + ' ' + admin.last_name : undefined };
}

function statusOf(p) {
  if (p.hired_at) return 'hired';
  if (p.disqualify_kind === 'candidate') return 'withdrawn';
  return p.disqualified_at || p.disqualify_kind || p.disqualify_reason ? 'rejected' : 'active';
}

function application(index, p) {
  const offer = index.get('Offer' + p.offer_id);
  const stage = index.get('Stage' + p.stage_id);
  return {
    id: p.id,
    job: { id: p.offer_id, name: offer && offer.title },
    status: statusOf(p),
    remote_status: null,
    current_stage: {
      id: p.stage_id, name: stage && stage.name,
      category: stage && (CATEGORIES[stage.category] || stage.category),
      remote_category: stage && stage.category,
    },
    applied_at: p.created_at, rejected_at: p.disqualified_at, hired_at: p.hired_at,
  };
}

function isJob(index, p) {
  const offer = index.get('Offer' + p.offer_id);
  return p.offer_id && !p.talent_pool_id && !(offer && offer.kind === 'talent_pool');
}

function phone(number, i) {
  return {
    number,
    number_e164: /^\+[-0-9 ().\/]+$/.test(number) ? '+' + number.replace(/[^0-9]/g, '') : undefined,
    is_primary: i === 0,
  };
}

function countsOf(ratings) {
  return ratings && {
    strong_no: ratings.strong_no ?? 0, no: ratings.no ?? 0, neutral: ratings.neutral ?? 0,
    yes: ratings.yes ?? 0, strong_yes: ratings.strong_yes ?? 0,
  };
}

function lastHire(placements) {
  let last;
  for (const p of placements) if (p.hired_at && (last === undefined || p.hired_at > last)) last = p.hired_at;
  return last;
}

function mapOne(c, index) {
  const name = c.name.trim();
  const space = name.lastIndexOf(' ');
  const placements = c.placements || [];
  return {
    id: c.id,
    name: c.name,
    first_name: space < 0 ? name : name.slice(0, space),
    last_name: space < 0 ? undefined : name.slice(space + 1),
    title: c.title,
    emails: (c.emails || []).map((email, i) => ({ email, is_primary: i === 0 })),
    phones: (c.phones || []).map(phone),
    photo_url: c.has_avatar ? c.photo_url || c.photo_thumb_url : undefined,
    origin: ORIGINS[c.source] ?? c.source,
    remote_origin: c.source,
    owner: person(index, c.admin_id),
    applications: placements.filter((p) => isJob(index, p)).map((p) => application(index, p)),
    rating: {
      average: typeof c.positive_ratings === 'number' ? c.positive_ratings / 100 : undefined,
      counts: countsOf(c.ratings),
    },
    is_anonymous: c.is_anonymous,
    hired_at: lastHire(placements),
    deleted_at: c.deleted_at,
    remote_url: c.adminapp_url,
    created_at: c.created_at,
    updated_at: c.updated_at,
    remote_data: c,
  };
}

module.exports = { indexOf, mapOne };
