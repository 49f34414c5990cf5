drop index rollout_agents_agent;
alter table rollout_agents drop column came_up, drop column former_generation;
