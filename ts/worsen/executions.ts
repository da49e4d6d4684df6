/** An enumeration that worsen exports for its own application; nothing of the store refers to it. */
export enum AllowedExecution {
  AddEmail = 'Add Email',
  CheckDeploymentStatus = 'Check Deployment Status',
  ReadEnvironment = 'Read Environment',
  Deploy = 'Deploy',
  AddServer = 'Add Server',
  ViewUsers = 'View Users',
}
