drop table rollout_agents, rollouts;
alter table agents drop column image, drop column started_image;
