-- Whether an agent came up with the image that a rollout gave it, and from which start on that can be told.
alter table rollout_agents
  add column came_up boolean not null default false,
  -- The agent's start before it had the image; those after it are the ones with it.
  add column former_generation integer;
-- Of before: nothing of it goes back any more.
update rollout_agents set came_up = true where state = 'done';
-- For the end of an agent, and for the newest rollout that it was in.
create index rollout_agents_agent on rollout_agents (agent_id, id);
